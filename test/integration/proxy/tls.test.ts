// TLS at the proxy's front door: told apart from plaintext, chosen by name and protocol, and closed to everybody who is
// not the right peer. Clients are Node's own TLS and raw bytes.
import assert from "node:assert/strict";
import { createConnection } from "node:net";
import { after, before, describe, test } from "node:test";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { byteByByte } from "../../support/byte-by-byte.ts";
import { eventually } from "../../support/eventually.ts";
import { selfSigned } from "../../support/openssl.ts";
import {
  cluster,
  httpFilter,
  httpInspector,
  listener,
  startPlane,
  staticResources,
  tcpFilter,
  tlsInspector,
  tlsSocket,
  toCluster,
  type Json,
  type TestPlane,
} from "../../support/proxy-plane.ts";
import {
  connectRaw,
  connectRawTls,
  ok,
  RawPeer,
  startHttpPeer,
  startRawServer,
  startRawTlsServer,
  type RawServer,
} from "../../support/raw-peer.ts";
import {
  certificateSecret,
  commonTls,
  createIdentities,
  rootsSecret,
  spiffeId,
  type TestCertificate,
  type TestIdentities,
} from "../../support/test-identities.ts";

let identities: TestIdentities;
let own: TestCertificate;
let friend: TestCertificate;
let stranger: TestCertificate;
let http: RawServer;
let echo: RawServer;
let proxy: TestPlane;

const direct = (body: string): Json =>
  httpFilter([{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: body } } }]);

function bootstrap(certificate: TestCertificate): Json {
  const mtls = (alpn: readonly string[]): Json =>
    tlsSocket("Downstream", { require_client_certificate: true, ...commonTls(["friend"], { alpn_protocols: alpn }) });
  const permissive = listener(
    [
      {
        name: "mesh",
        filter_chain_match: { transport_protocol: "tls", application_protocols: ["istio", "istio-http/1.1"] },
        filters: [
          httpFilter([toCluster("http")], {
            forward_client_cert_details: "APPEND_FORWARD",
            set_current_client_cert_details: { uri: true },
          }),
        ],
        ...mtls(["istio-http/1.1", "istio"]),
      },
      { name: "passthrough", filter_chain_match: { transport_protocol: "tls" }, filters: [tcpFilter("echo")] },
      {
        name: "http",
        filter_chain_match: { transport_protocol: "raw_buffer", application_protocols: ["http/1.1"] },
        filters: [direct("plain http")],
      },
      { name: "raw", filter_chain_match: { transport_protocol: "raw_buffer" }, filters: [tcpFilter("echo")] },
    ],
    {
      name: "permissive",
      listener_filters: [tlsInspector(), httpInspector()],
      listener_filters_timeout: "15s",
      continue_on_listener_filters_timeout: true,
    },
  );
  const strict = listener([{ filters: [direct("strict")], transport_socket_connect_timeout: "0.3s", ...mtls(["http/1.1"]) }], {
    name: "strict",
  });
  const named = listener(
    [
      { filter_chain_match: { server_names: ["one.test"] }, filters: [direct("one")], ...mtls([]) },
      { filter_chain_match: { server_names: ["*.test"] }, filters: [direct("wild")], ...mtls(["http/1.1"]) },
    ],
    { name: "named", listener_filters: [tlsInspector()] },
  );
  const tcp = listener([{ filters: [tcpFilter("echo")], ...mtls([]) }], { name: "tcp" });
  return staticResources(
    [permissive, { ...permissive, name: "impatient", listener_filters_timeout: "0.3s" }, strict, named, tcp],
    [cluster("http", [http.port]), cluster("echo", [echo.port])],
    [certificateSecret("own", certificate), rootsSecret("roots", identities.rootsPem)],
  );
}

before(async () => {
  identities = await createIdentities();
  [own, friend, stranger] = await Promise.all([identities.issue("server"), identities.issue("friend"), identities.issue("stranger")]);
  http = await startHttpPeer((request) => ok(request));
  echo = await startRawServer((peer) => {
    peer.socket.on("data", (chunk: Buffer) => peer.socket.write(chunk));
    peer.socket.on("end", () => peer.socket.end());
  });
  proxy = await startPlane(bootstrap(own));
});
after(async () => {
  await http.stop();
  await echo.stop();
  await proxy.stop();
});

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const tlsClient = (name: string, certificate: TestCertificate | { cert: string; key: string } | undefined, more: object = {}) =>
  connectRawTls(proxy.port(name), { ...certificate, ca: identities.rootsPem, ...more });

/** Resolves to whether an HTTP request over TLS with this certificate is answered; refusals may come after the handshake. */
async function isServed(name: string, certificate: { cert: string; key: string } | undefined, more: object = {}): Promise<boolean> {
  let peer;
  try {
    peer = await tlsClient(name, certificate, more);
  } catch {
    return false;
  }
  peer.write(GET);
  await peer.until((each) => each.text.includes("\r\n\r\n") || each.closed || each.ended, "answer or close");
  const served = peer.text.startsWith("HTTP/1.1 200");
  peer.destroy();
  return served;
}

describe("one port for TLS and plaintext", () => {
  test("gives mesh TLS to its chain, with the peer's identity for the upstream", async () => {
    const peer = await tlsClient("permissive", friend, { ALPNProtocols: ["istio-http/1.1", "istio"] });
    assert.equal(peer.socket.alpnProtocol, "istio-http/1.1");
    assert.equal(peer.socket.getProtocol(), "TLSv1.3");
    assert.equal(peer.socket.getPeerX509Certificate()?.subjectAltName, `URI:${spiffeId("server")}`);
    peer.write("GET /who HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: URI=forged\r\n\r\n");
    const got = await peer.receives("/who");
    assert.match(
      got,
      new RegExp(`x-forwarded-client-cert: URI=forged,By=${spiffeId("server")};Hash=[0-9a-f]{64};URI=${spiffeId("friend")}\\r\\n`, "i"),
    );
    assert.match(got, /x-forwarded-proto: https\r\n/);
    peer.destroy();
  });

  test("passes other TLS through untouched", async () => {
    const { clientHello } = await import("../../support/client-hello.ts");
    const hello = clientHello({ serverName: "x.test", alpn: ["h2"] });
    const peer = await connectRaw(proxy.port("permissive"));
    peer.write(hello);
    assert.equal(await peer.receives(hello.latin1Slice()), hello.latin1Slice());
    peer.destroy();
  });

  test("tells plaintext HTTP and other bytes apart", async () => {
    const web = await connectRaw(proxy.port("permissive"));
    web.write(GET);
    assert.match(await web.receives("plain http"), /^HTTP\/1\.1 200 OK/);
    const other = await connectRaw(proxy.port("permissive"));
    other.write("\x00\x01binary");
    assert.equal(await other.receives("binary"), "\x00\x01binary");
    for (const each of [web, other]) each.destroy();
  });

  test("takes a silent client for plain bytes when the wait is over, and keeps the byte that it sent", async () => {
    const peer = await connectRaw(proxy.port("impatient"));
    peer.write("G");
    assert.equal(await peer.receives("G"), "G");
    peer.write("O");
    assert.equal(await peer.receives("GO"), "GO");
    peer.destroy();
  });

  test("reads a ClientHello that comes in packets of one byte", async () => {
    const raw = createConnection({ port: proxy.port("permissive"), host: "127.0.0.1", noDelay: true });
    const slow = byteByByte(raw);
    const socket = connectTls({
      socket: slow,
      ...friend,
      ca: identities.rootsPem,
      rejectUnauthorized: false,
      servername: "",
      ALPNProtocols: ["istio"],
    } as ConnectionOptions);
    await new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    const peer = new RawPeer(socket);
    peer.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(await peer.receives("/slow"), /^HTTP\/1\.1 200 OK/);
    peer.destroy();
    raw.destroy();
  });
});

describe("server names", () => {
  test("choose the chain, and an unknown one gets none", async () => {
    for (const [servername, body] of [
      ["one.test", "one"],
      ["ONE.test", "one"],
      ["x.test", "wild"],
    ] as const) {
      const peer = await tlsClient("named", friend, { servername });
      peer.write(GET);
      assert.ok((await peer.receives(`\r\n\r\n${body}`)).startsWith("HTTP/1.1 200"), servername);
      peer.destroy();
    }
    await assert.rejects(tlsClient("named", friend, { servername: "other.example" }));
    assert.equal(proxy.stat(`listener.127.0.0.1_0.no_filter_chain_match`) > 0, true);
  });

  test("with protocols of which the server has none still connect, without one", async () => {
    const peer = await tlsClient("named", friend, { servername: "x.test", ALPNProtocols: ["h2"] });
    assert.equal(peer.socket.alpnProtocol, false);
    peer.write(GET);
    await peer.receives("wild");
    peer.destroy();
  });
});

describe("a port for mutual TLS only", () => {
  test("serves the right peer", async () => assert.equal(await isServed("strict", friend), true));

  test("refuses a peer of another name", async () => {
    assert.equal(await isServed("strict", stranger), false);
    assert.match(proxy.refusals.at(-1)!, /san_mismatch: client is spiffe:\/\/cluster\.local\/ns\/test\/sa\/stranger/);
  });

  test("refuses a self-signed peer, even of the right name", async () => {
    const forged = selfSigned(`URI:${spiffeId("friend")}`);
    assert.equal(await isServed("strict", { cert: forged.certificate, key: forged.key }), false);
    assert.match(proxy.refusals.at(-1)!, /^verify_failed: /);
  });

  test("refuses a peer of another root", async () => {
    const others = await createIdentities();
    assert.equal(await isServed("strict", await others.issue("friend")), false);
    assert.match(proxy.refusals.at(-1)!, /^verify_failed: /);
  });

  test("refuses a peer whose certificate has expired", async () => {
    assert.equal(await isServed("strict", await identities.issue("friend", { expired: true })), false);
    assert.match(proxy.refusals.at(-1)!, /^verify_failed: CERT_HAS_EXPIRED/);
  });

  test("refuses a peer without a certificate", async () => {
    assert.equal(await isServed("strict", undefined), false);
    assert.match(proxy.refusals.at(-1)!, /^no_certificate: /);
  });

  test("refuses plaintext, without an answer", async () => {
    const peer = await connectRaw(proxy.port("strict"));
    peer.write(GET);
    await peer.until((each) => each.closed || each.ended, "close");
    assert.doesNotMatch(peer.text, /HTTP/);
    await eventually(() => assert.match(proxy.refusals.at(-1)!, /^handshake_failed: ERR_SSL_HTTP_REQUEST/), { withinMs: 2000 });
  });

  test("refuses TLS 1.1 and what is asked for below the minimum", async () => {
    assert.equal(await isServed("strict", friend, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" }), false);
  });

  test("gives up on a handshake that takes too long", async () => {
    // The proxy's clock may start before we learn that we are connected.
    const started = performance.now();
    const peer = await connectRaw(proxy.port("strict"));
    peer.write("\x16\x03\x01");
    await peer.until((each) => each.closed || each.ended, "close");
    assert.ok(performance.now() - started >= 290);
    await eventually(() => assert.match(proxy.refusals.at(-1)!, /^timeout: /), { withinMs: 2000 });
  });

  test("counts what it refused by kind", () => {
    for (const name of ["fail_verify_san", "fail_verify_no_cert", "fail_verify_error", "connection_error", "handshake"]) {
      assert.ok(proxy.stat(`listener.127.0.0.1_0.ssl.${name}`) > 0, name);
    }
  });
});

describe("TCP over mutual TLS", () => {
  test("relays, and lets each direction end by itself", async () => {
    const peer = await tlsClient("tcp", friend);
    peer.write("over tls");
    await peer.receives("over tls");
    peer.end("last");
    assert.equal(await peer.untilEnd(), "over tlslast");
  });

  test("lets the client go on after a TLS upstream has ended its half", async (context) => {
    const upstream = await startRawTlsServer(
      { ...own, ca: identities.rootsPem, requestCert: true, rejectUnauthorized: true },
      (peer) => void peer.end("greeting"),
    );
    const relay = await startPlane(
      staticResources(
        [listener([{ filters: [tcpFilter("up")] }])],
        [cluster("up", [upstream.port], tlsSocket("Upstream", commonTls(["server"])))],
        [certificateSecret("own", friend), rootsSecret("roots", identities.rootsPem)],
      ),
    );
    context.after(async () => {
      await relay.stop();
      await upstream.stop();
    });
    const client = await connectRaw(relay.port());
    await client.until((peer) => peer.ended, "FIN");
    assert.equal(client.text, "greeting");
    client.write("one ");
    const server = await upstream.peer(0);
    await server.receives("one ");
    client.end("two");
    await server.until((peer) => peer.ended, "FIN");
    assert.equal(server.text, "one two");
  });

  test("offers a sidecar what bytes ride in, not the transport that is for requests", async (context) => {
    let offered: readonly string[] = [];
    const upstream = await startRawTlsServer(
      {
        ...own,
        ca: identities.rootsPem,
        requestCert: true,
        ALPNCallback: ({ protocols }) => {
          offered = protocols;
          return protocols[0];
        },
      },
      (peer) => void peer.write("hello"),
    );
    const tls = tlsSocket("Upstream", commonTls(["server"], { alpn_protocols: ["meshctl/1", "istio"] }));
    const ends = { upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }] };
    const relay = await startPlane(
      staticResources(
        [
          listener([{ filters: [tcpFilter("up")] }], { name: "tcp" }),
          listener([{ filters: [httpFilter([{ match: { connect_matcher: {} }, route: { cluster: "up", ...ends } }])] }], {
            name: "connect",
          }),
        ],
        [cluster("up", [upstream.port], tls)],
        [certificateSecret("own", friend), rootsSecret("roots", identities.rootsPem)],
      ),
    );
    context.after(async () => {
      await relay.stop();
      await upstream.stop();
    });
    await (await connectRaw(relay.port("tcp"))).receives("hello");
    assert.deepEqual(offered, ["istio"]);
    offered = [];
    const client = await connectRaw(relay.port("connect"));
    client.write("CONNECT up:1 HTTP/1.1\r\nHost: up:1\r\n\r\n");
    await client.receives("hello");
    assert.deepEqual(offered, ["istio"]);
  });
});

describe("an upstream over mutual TLS", () => {
  async function hop(
    peers: readonly string[],
    certificate: TestCertificate,
    context: { after(fn: () => Promise<void>): void },
    script: (peer: RawPeer) => void,
  ) {
    const upstream = await startRawTlsServer(
      { ...certificate, ca: identities.rootsPem, requestCert: true, rejectUnauthorized: true },
      script,
    );
    const plane = await startPlane(
      staticResources(
        [listener([{ filters: [httpFilter([toCluster("up")])] }])],
        [cluster("up", [upstream.port], tlsSocket("Upstream", commonTls(peers)))],
        [certificateSecret("own", friend), rootsSecret("roots", identities.rootsPem)],
      ),
    );
    context.after(async () => {
      await plane.stop();
      await upstream.stop();
    });
    const client = await connectRaw(plane.port());
    client.write(GET);
    return { plane, upstream, client };
  }

  test("is used when it is who it should be", async (context) => {
    const { client, upstream } = await hop(
      ["server"],
      own,
      context,
      (peer) => void peer.socket.once("data", () => peer.write(ok("secret"))),
    );
    await client.receives("secret");
    const socket = upstream.peers[0]!.socket as TLSSocket;
    assert.equal(socket.getPeerX509Certificate()?.subjectAltName, `URI:${spiffeId("friend")}`);
  });

  test("of another name is refused, and the answer says so", async (context) => {
    const { client, plane } = await hop(["someone-else"], own, context, () => undefined);
    const got = await client.receives("\r\n\r\n");
    assert.match(got, /^HTTP\/1\.1 503 /);
    assert.match(got, /x-mesh-error: UF; by=policy; detail="127\.0\.0\.1:\d+: server is spiffe:\/\/cluster\.local\/ns\/test\/sa\/server"/);
    assert.equal(plane.stat("cluster.up.ssl.fail_verify_san"), 1);
  });

  test("with an expired certificate is refused", async (context) => {
    const { client } = await hop(["server"], await identities.issue("server", { expired: true }), context, () => undefined);
    assert.match(
      await client.receives("\r\n\r\n"),
      /^HTTP\/1\.1 503 [^]*UF; by=server-sidecar; detail="127\.0\.0\.1:\d+: CERT_HAS_EXPIRED"/,
    );
  });

  test("that sends its whole answer and ends is read to the last byte by a slow client", async (context) => {
    const total = 4 * 1024 * 1024;
    const body = "x".repeat(total);
    const { client } = await hop(
      ["server"],
      own,
      context,
      (peer) => void peer.socket.once("data", () => peer.end(`HTTP/1.1 200 OK\r\n\r\n${body}`)),
    );
    client.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.socket.resume();
    const got = await client.receives("\r\n0\r\n\r\n");
    assert.equal(got.slice(got.indexOf("\r\n\r\n")).match(/x/g)?.length, total);
  });
});

describe("replaced secrets", () => {
  test("reach new handshakes and drop no connection", async () => {
    const old = await tlsClient("strict", friend);
    const oldSerial = old.socket.getPeerX509Certificate()!.serialNumber;
    old.write(GET);
    await old.receives("strict");
    await proxy.apply(bootstrap(await identities.issue("server")));
    const fresh = await tlsClient("strict", friend);
    assert.notEqual(fresh.socket.getPeerX509Certificate()!.serialNumber, oldSerial);
    fresh.write(GET);
    await fresh.receives("strict");
    old.clear().write(GET);
    await old.receives("strict");
    assert.equal(old.closed || old.ended, false);
    for (const each of [old, fresh]) each.destroy();
  });

  test("with other roots refuse at once whom they don't know any more", async () => {
    const others = await createIdentities();
    const now = bootstrap(own) as { static_resources: { secrets: Json[] } };
    now.static_resources.secrets = [certificateSecret("own", own), rootsSecret("roots", others.rootsPem)];
    await proxy.apply(now);
    assert.equal(await isServed("strict", friend), false);
    assert.equal(await isServed("strict", await others.issue("friend")), true);
    await proxy.apply(bootstrap(own));
    assert.equal(await isServed("strict", friend), true);
  });
});
