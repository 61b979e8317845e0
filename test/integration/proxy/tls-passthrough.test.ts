// TLS that a proxy does not end: told apart by the server name that the client asks for, and handed on untouched.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Duplex } from "node:stream";
import { byteByByte } from "../../support/byte-by-byte.ts";
import { clientHello } from "../../support/client-hello.ts";
import { eventually } from "../../support/eventually.ts";
import { selfSigned } from "../../support/openssl.ts";
import {
  accessLog,
  cluster,
  listener,
  startPlane,
  staticResources,
  tcpFilter,
  tlsInspector,
  type Json,
  type TestPlane,
} from "../../support/proxy-plane.ts";
import { connectRaw, RawPeer, startRawServer, startRawTlsServer, type RawServer } from "../../support/raw-peer.ts";

const LOG_FORMAT = "%REQUESTED_SERVER_NAME% %UPSTREAM_CLUSTER% %RESPONSE_FLAGS% %DOWNSTREAM_TLS_VERSION%\n";

const servers: RawServer[] = [];
const folder = mkdtempSync(join(tmpdir(), "meshctl-sni-"));
const logFile = join(folder, "access.log");
let proxy: TestPlane;

/** A filter chain to a cluster for these names. */
function chain(to: string, names?: readonly string[]): Json {
  const logs = accessLog(logFile) as { access_log: { typed_config: Json }[] };
  logs.access_log[0]!.typed_config["log_format"] = { text_format_source: { inline_string: LOG_FORMAT } };
  return { name: to, ...(names === undefined ? {} : { filter_chain_match: { server_names: names } }), filters: [tcpFilter(to, logs)] };
}

before(async () => {
  // Each server answers with its own name, over TLS that is its own.
  for (const name of ["exact", "wild", "longer", "rest"]) {
    const { certificate: cert, key } = selfSigned(`DNS:${name}.test`);
    const serve = (peer: RawPeer): void => {
      peer.write(`this is ${name}`);
      peer.socket.once("end", () => peer.socket.end());
    };
    servers.push(await startRawTlsServer({ cert, key }, serve));
  }
  servers.push(await startRawServer());
  proxy = await startPlane(
    staticResources(
      [
        listener(
          [chain("exact", ["api.test", "EXACT.test"]), chain("wild", ["*.test"]), chain("longer", ["*.deep.test"]), chain("raw", ["raw"])],
          {
            traffic_direction: "OUTBOUND",
            listener_filters: [tlsInspector()],
            listener_filters_timeout: "10s",
            default_filter_chain: chain("rest"),
          },
        ),
      ],
      ["exact", "wild", "longer", "rest", "raw"].map((name, index) => cluster(name, [servers[index]!.port])),
    ),
  );
});
after(async () => {
  await proxy.stop();
  for (const each of servers) await each.stop();
  rmSync(folder, { recursive: true });
});

async function handshake(servername: string, over?: Duplex): Promise<{ peer: RawPeer; certificate: string }> {
  const where = over === undefined ? { host: "127.0.0.1", port: proxy.port() } : { socket: over };
  const socket: TLSSocket = connectTls({ ...where, servername, rejectUnauthorized: false });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  return { peer: new RawPeer(socket), certificate: socket.getPeerX509Certificate()?.subjectAltName ?? "" };
}

describe("TLS passed through", () => {
  for (const [asked, reached] of [
    ["exact.test", "exact"],
    ["API.test", "exact"],
    ["other.test", "wild"],
    ["a.b.test", "wild"],
    ["a.deep.test", "longer"],
    ["nobody.example", "rest"],
    ["", "rest"],
  ] as const) {
    test(`${asked === "" ? "without a name" : `for ${asked}`} reaches ${reached}, whose certificate the client sees`, async () => {
      const { peer, certificate } = await handshake(asked);
      assert.equal(certificate, `DNS:${reached}.test`);
      await peer.receives(`this is ${reached}`);
      peer.destroy();
    });
  }

  test("reaches its server when the ClientHello comes in packets of one byte", async () => {
    const raw = createConnection({ port: proxy.port(), host: "127.0.0.1", noDelay: true });
    const { peer, certificate } = await handshake("a.deep.test", byteByByte(raw));
    assert.equal(certificate, "DNS:longer.test");
    await peer.receives("this is longer");
    peer.destroy();
    raw.destroy();
  });

  test("reaches its server when the ClientHello fills many records, and not a byte of it is changed", async () => {
    // Half a hello decides nothing, and nobody is dialled for it.
    const hello = clientHello({ serverName: "raw", alpn: ["h2", "http/1.1"], fragmentBytes: 7 });
    const client = await connectRaw(proxy.port());
    const raw = servers[4]!;
    const half = Math.floor(hello.length / 2);
    client.write(hello.subarray(0, half));
    await eventually(() => assert.equal(proxy.stat("listener.127.0.0.1_0.downstream_pre_cx_active"), 1), { withinMs: 2000 });
    assert.equal(raw.peers.length, 0);
    client.write(hello.subarray(half));
    assert.equal(await (await raw.peer(0)).receives(hello.latin1Slice()), hello.latin1Slice());
    for (const each of [client, ...raw.peers]) each.destroy();
  });

  test("is told with its server name in the access log, and counted as TCP", async () => {
    const before = proxy.metric("istio_tcp_connections_opened_total");
    const { peer } = await handshake("exact.test");
    await peer.receives("this is exact");
    peer.socket.end();
    await peer.until((each) => each.closed, "close");
    await eventually(() => assert.match(readFileSync(logFile, "utf8"), /^exact\.test exact - -$/m), { withinMs: 3000 });
    await eventually(() => assert.match(readFileSync(logFile, "utf8"), /^nobody\.example rest - -$/m), { withinMs: 3000 });
    assert.equal(proxy.metric("istio_tcp_connections_opened_total", { reporter: "source", request_protocol: "tcp" }), before + 1);
    assert.ok(proxy.metric("istio_tcp_received_bytes_total") > 200, "a ClientHello and more came");
    await eventually(
      () => assert.equal(proxy.metric("istio_tcp_connections_closed_total"), proxy.metric("istio_tcp_connections_opened_total")),
      { withinMs: 3000 },
    );
  });
});
