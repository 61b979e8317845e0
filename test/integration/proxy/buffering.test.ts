// Envoy's buffer filter: requests that go on only when they are whole, and not at all when they are too large.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { plainHop, startPlane, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, ok, startHttpPeer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";

const EXTENSIONS = "type.googleapis.com/envoy.extensions.filters.http";
const CHUNKED = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

let server: RawServer;
let proxy: TestPlane;
let client: RawPeer;
const seen: string[] = [];

before(async () => {
  server = await startHttpPeer((request) => {
    seen.push(request);
    return ok(request);
  });
  const http_filters = [
    { name: "wide", typed_config: { "@type": `${EXTENSIONS}.buffer.v3.Buffer`, max_request_bytes: 100 } },
    { name: "narrow", typed_config: { "@type": `${EXTENSIONS}.buffer.v3.Buffer`, max_request_bytes: 8 } },
    { name: "envoy.filters.http.router", typed_config: { "@type": `${EXTENSIONS}.router.v3.Router` } },
  ];
  proxy = await startPlane(plainHop([server.port], { manager: { http_filters }, action: { idle_timeout: "0.3s" } }));
});
after(async () => {
  client.destroy();
  await proxy.stop();
  await server.stop();
});

test("a request waits until it is whole, and goes on with its length", async () => {
  client = await connectRaw(proxy.port());
  client.write(`${CHUNKED}4\r\nhalf\r\n`);
  await eventually(() => assert.equal(proxy.stat("http.test.downstream_rq_active"), 1), { withinMs: 2000 });
  assert.equal(proxy.stat("cluster.up.upstream_rq_total"), 0);
  client.write("4\r\nhalf\r\n0\r\n\r\n");
  const echoed = await client.receives("halfhalf");
  assert.match(echoed, /\r\n\r\nPOST \/ HTTP\/1\.1\r\n[^]*\r\ncontent-length: 8\r\n[^]*\r\n\r\nhalfhalf$/);
  assert.doesNotMatch(echoed, /transfer-encoding/i);
});

test("trailers still come behind it", async () => {
  client = await connectRaw(proxy.port());
  client.write(`${CHUNKED}4\r\nhalf\r\n0\r\nX-Check: 1\r\n\r\n`);
  // The peer knows no chunks: it takes them for a second request.
  await eventually(() => assert.match(seen.join(""), /\r\n4\r\nhalf\r\n0\r\nX-Check: 1\r\n\r\n$/), { withinMs: 2000 });
});

test("one that announces too much is refused before its body comes", async () => {
  client = await connectRaw(proxy.port());
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
  const answer = await client.untilEnd();
  assert.match(answer, /^HTTP\/1\.1 413 [^]*Payload Too Large$/);
  assert.match(answer, /x-mesh-error: -; by=client; detail="request body of more than 8 bytes"/);
});

test("one that turns out to be too large is refused then", async () => {
  client = await connectRaw(proxy.port());
  client.write(`${CHUNKED}4\r\nhalf\r\n5\r\nlarge\r\n`);
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 413 /);
});

test("one that does not go on is given up", async () => {
  client = await connectRaw(proxy.port());
  client.write(`${CHUNKED}4\r\nhalf\r\n`);
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 408 [^]*x-mesh-error: SI; by=client/);
});
