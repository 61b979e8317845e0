// How long a client may take to send its request, and to take what is left of its answer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { FrameCutter, FrameType, PREFACE, frame, requestBlock, settings, type SeenFrame } from "../../support/http2-frames.ts";
import { plainHop, startPlane, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, startRawServer, type RawServer } from "../../support/raw-peer.ts";

let server: RawServer;
let proxy: TestPlane;

before(async () => {
  server = await startRawServer();
  proxy = await startPlane(plainHop([server.port], { manager: { request_headers_timeout: "0.15s", request_timeout: "0.15s" } }));
});
after(async () => {
  await proxy.stop();
  await server.stop();
});

test("half a head is answered 408 after request_headers_timeout, and the connection ends", async () => {
  const client = await connectRaw(proxy.port());
  client.write("GET / HTTP/1.1\r\nHost: a\r\n");
  await client.receives("request header timeout");
  assert.match(
    client.text,
    /^HTTP\/1\.1 408 .*\r\n[^]*x-mesh-error: -; by=client; detail="head not whole within 150 ms"\r\n[^]*connection: close\r\n/,
  );
  client.destroy();
});

test("a body that does not end is answered 408 after request_timeout", async () => {
  const client = await connectRaw(proxy.port());
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  await client.receives("request timeout");
  assert.match(client.text, /^HTTP\/1\.1 408 .*\r\n[^]*detail="request not whole within 150 ms"/);
  client.destroy();
});

test("an idle connection that has begun no head is left alone by both", async () => {
  const client = await connectRaw(proxy.port());
  const other = await connectRaw(proxy.port());
  other.write("GET / HTTP/1.1\r\n");
  await other.receives("408");
  client.write("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
  await server.peers
    .at(-1)
    ?.receives("/late")
    .catch(() => undefined);
  assert.equal(client.text, "");
  client.destroy();
  other.destroy();
});

test("a client of HTTP/2 that takes nothing of a whole answer loses the stream after stream_idle_timeout", async (context) => {
  const answering = await startRawServer((peer) => {
    peer.socket.on("data", () => peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  });
  const plane = await startPlane(plainHop([answering.port], { manager: { stream_idle_timeout: "0.15s" } }));
  const client = await connectRaw(plane.port());
  context.after(async () => {
    client.destroy();
    await plane.stop();
    await answering.stop();
  });
  const seen: SeenFrame[] = [];
  const cutter = new FrameCutter();
  client.socket.on("data", (bytes: Buffer) => seen.push(...cutter.push(bytes)));
  const isThere = (type: number): boolean => seen.some((each) => each.type === type && each.streamId === 1);
  client.write(Buffer.concat([PREFACE, settings({ 4: 0 }), frame(FrameType.headers, 5, 1, requestBlock("GET", "/"))]));
  await client.until(() => isThere(FrameType.rstStream), "a reset");
  assert.deepEqual([isThere(FrameType.headers), isThere(FrameType.data)], [true, false]);
  assert.deepEqual([plane.stat("http2.tx_flush_timeout"), plane.stat("http.test.downstream_rq_2xx")], [1, 1]);
});
