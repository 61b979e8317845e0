// WebSockets through the proxy: Node's own client against a server of a few lines, through one hop, and through two
// sidecars over mutual TLS, with pooled HTTP/1.1 between them and with the mesh transport.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Alpn } from "../../../src/xds/names.ts";
import { eventually } from "../../support/eventually.ts";
import {
  cluster,
  httpFilter,
  listener,
  plainHop,
  startPlane,
  staticResources,
  tlsSocket,
  toCluster,
  type Json,
  type TestPlane,
} from "../../support/proxy-plane.ts";
import { connectRaw } from "../../support/raw-peer.ts";
import { certificateSecret, commonTls, createIdentities, rootsSecret } from "../../support/test-identities.ts";
import { encodeFrame, Opcode, startWebSocketServer, type WebSocketServer } from "../../support/websocket-server.ts";

const within = { withinMs: 5000 };
const WEBSOCKET: Json = { upgrade_configs: [{ upgrade_type: "websocket" }] };

let server: WebSocketServer;
const planes: TestPlane[] = [];
const ports = new Map<string, number>();

async function start(bootstrap: Json): Promise<TestPlane> {
  const plane = await startPlane(bootstrap);
  planes.push(plane);
  return plane;
}

before(async () => {
  server = await startWebSocketServer();
  ports.set("one hop", (await start(plainHop([server.port], { manager: WEBSOCKET, action: { timeout: "1s" } }))).port());
  const identities = await createIdentities();
  const [client, inbound] = await Promise.all([identities.issue("client"), identities.issue("inbound")]);
  const roots = rootsSecret("roots", identities.rootsPem);
  const far = await start(
    staticResources(
      [
        listener([
          {
            filters: [httpFilter([toCluster("app")], WEBSOCKET)],
            ...tlsSocket("Downstream", {
              require_client_certificate: true,
              ...commonTls(["client"], { alpn_protocols: [Alpn.meshTransport, Alpn.meshHttp11, Alpn.http11] }),
            }),
          },
        ]),
      ],
      [cluster("app", [server.port])],
      [certificateSecret("own", inbound), roots],
    ),
  );
  for (const [name, alpn] of [
    ["two sidecars over HTTP/1.1", [Alpn.meshHttp11]],
    ["two sidecars over the mesh transport", [Alpn.meshTransport, Alpn.meshHttp11, Alpn.meshTcp]],
  ] as const) {
    const near = await start(
      staticResources(
        [listener([{ filters: [httpFilter([toCluster("far")], WEBSOCKET)] }])],
        [cluster("far", [far.port()], tlsSocket("Upstream", commonTls(["inbound"], { alpn_protocols: alpn })))],
        [certificateSecret("own", client), roots],
      ),
    );
    ports.set(name, near.port());
  }
});
after(async () => {
  await server.stop();
  for (const each of planes) await each.stop();
});

interface Client {
  readonly socket: WebSocket;
  readonly messages: (string | Buffer)[];
  readonly closed: Promise<{ readonly code: number; readonly wasClean: boolean }>;
}

async function connect(port: number): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat?room=1`);
  socket.binaryType = "arraybuffer";
  const messages: (string | Buffer)[] = [];
  socket.onmessage = ({ data }) => void messages.push(typeof data === "string" ? data : Buffer.from(data as ArrayBuffer));
  const closed = new Promise<{ code: number; wasClean: boolean }>((resolve) => (socket.onclose = resolve));
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("the WebSocket did not open"));
  });
  return { socket, messages, closed };
}

for (const name of ["one hop", "two sidecars over HTTP/1.1", "two sidecars over the mesh transport"]) {
  const portOf = (): number => ports.get(name)!;
  describe(`a WebSocket through ${name}`, () => {
    test("carries text, binary and large messages both ways", async () => {
      const { socket, messages, closed } = await connect(portOf());
      const large = randomBytes(3_000_000);
      socket.send("hello");
      socket.send(Buffer.from([0, 255, 128]));
      socket.send(large);
      socket.send("last");
      await eventually(() => assert.equal(messages.length, 4), within);
      assert.equal(messages[0], "hello");
      assert.deepEqual(messages[1], Buffer.from([0, 255, 128]));
      assert.ok(large.equals(messages[2] as Buffer));
      assert.equal(messages[3], "last");
      socket.close(1000, "done");
      assert.deepEqual(await closed.then(({ code, wasClean }) => [code, wasClean]), [1000, true]);
      assert.match(server.sockets.at(-1)!.head, /^GET \/chat\?room=1 HTTP\/1\.1\r\n/);
      assert.match(server.sockets.at(-1)!.head, /\r\nconnection: Upgrade\r\nupgrade: websocket\r\n/);
    });

    test("is closed by the server with its code", async () => {
      const { closed } = await connect(portOf());
      server.sockets.at(-1)!.send(Opcode.close, Buffer.from([0x0f, 0xa1, 0x62, 0x79, 0x65]));
      const { code, wasClean } = await closed;
      assert.deepEqual([code, wasClean], [4001, true]);
    });

    test("that the server breaks off is broken for the client", async () => {
      const { closed } = await connect(portOf());
      server.sockets.at(-1)!.raw.reset();
      assert.deepEqual(await closed.then(({ code, wasClean }) => [code, wasClean]), [1006, false]);
    });

    test("that the server refuses is an ordinary response, and the connection goes on", async () => {
      const client = await connectRaw(portOf());
      const offer = "GET /no HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
      client.write(offer + offer);
      await client.until((peer) => peer.text.split("\r\n\r\nplain").length === 3, "two answers");
      assert.match(client.text, /^HTTP\/1\.1 200 OK\r\n/);
      client.destroy();
    });

    test("ends each half by itself", async () => {
      const client = await connectRaw(portOf());
      client.write(
        "GET /half HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
      );
      await client.receives("\r\n\r\n");
      const socket = await eventually(() => {
        const found = server.sockets.find(({ head, raw }) => head.startsWith("GET /half") && !raw.ended);
        assert.ok(found);
        return found;
      }, within);
      client.clear().socket.end(encodeFrame(Opcode.text, Buffer.from("first"), { mask: Buffer.from("mask") }));
      await socket.raw.until((peer) => peer.ended, "FIN");
      await client.receives("first");
      socket.send(Opcode.text, Buffer.from("second"));
      await client.receives("second");
      socket.raw.end();
      await client.until((peer) => peer.closed, "close");
      assert.equal(client.error, undefined);
    });

    test("leaves the proxy's next requests alone", async () => {
      const { socket, closed } = await connect(portOf());
      const answer = await fetch(`http://127.0.0.1:${portOf()}/`);
      assert.equal(await answer.text(), "plain");
      socket.close();
      await closed;
      assert.equal(await fetch(`http://127.0.0.1:${portOf()}/`).then((each) => each.text()), "plain");
    });
  });
}

test("both ways between the sidecars were what they were meant to be", () => {
  const [, , overHttp1, overMesh] = planes;
  assert.ok(overHttp1!.stat("cluster.far.upstream_cx_http1_total") > 0);
  assert.equal(overHttp1!.stat("cluster.far.upstream_cx_http2_total"), 0);
  assert.equal(overMesh!.stat("cluster.far.upstream_cx_http2_total"), 1);
  assert.equal(overMesh!.stat("cluster.far.upstream_cx_http1_total"), 0);
});

test("when all are closed, nothing is left open", async () => {
  for (const plane of planes)
    await eventually(() => {
      assert.equal(plane.stat("http.test.downstream_cx_upgrades_active"), 0);
      assert.equal(plane.stat("http.test.downstream_rq_active"), 0);
      for (const name of ["up", "app", "far"]) assert.equal(plane.stat(`cluster.${name}.upstream_rq_active`), 0);
    }, within);
  await eventually(() => assert.ok(server.sockets.every(({ raw }) => raw.closed)), within);
});
