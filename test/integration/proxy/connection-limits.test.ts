// What connections are limited by and what of them is counted, on both sides of the proxy.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { plainHop, startPlane, type Json, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, ok, startHttpPeer, startRawServer, type RawPeer } from "../../support/raw-peer.ts";

async function start(context: TestContext, port: number, options: { manager?: Json; cluster?: Json } = {}): Promise<TestPlane> {
  const proxy = await startPlane(plainHop([port], options));
  context.after(() => proxy.stop());
  return proxy;
}

async function connect(context: TestContext, proxy: TestPlane): Promise<RawPeer> {
  const peer = await connectRaw(proxy.port());
  context.after(() => peer.destroy());
  return peer;
}

test("every byte of either side is counted, whatever it belongs to", async (context) => {
  const body = "x".repeat(100_000);
  const seen = { request: 0, response: 0 };
  const server = await startHttpPeer((request) => {
    const answer = ok(body, "X-Long: ".padEnd(9000, "y") + "\r\n");
    seen.request += request.length;
    seen.response += answer.length;
    return answer;
  });
  context.after(() => server.stop());
  const proxy = await start(context, server.port);
  const client = await connect(context, proxy);
  const sent = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  client.write(sent);
  await client.until((peer) => peer.text.endsWith(body), "the response");
  assert.equal(proxy.stat("http.test.downstream_cx_rx_bytes_total"), sent.length);
  assert.equal(proxy.stat("http.test.downstream_cx_tx_bytes_total"), client.text.length);
  assert.equal(proxy.stat("cluster.up.upstream_cx_tx_bytes_total"), seen.request);
  assert.equal(proxy.stat("cluster.up.upstream_cx_rx_bytes_total"), seen.response);
});

test("an upstream connection that is old enough carries no further request, and one that is idle then is closed", async (context) => {
  const server = await startHttpPeer(() => ok("fine"));
  context.after(() => server.stop());
  const proxy = await start(context, server.port, { cluster: { common_http_protocol_options: { max_connection_duration: "0.1s" } } });
  const client = await connect(context, proxy);
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.receives("fine");
  await eventually(() => assert.equal(server.peers[0]!.ended, true), { withinMs: 2000 });
  assert.equal(proxy.stat("cluster.up.upstream_cx_max_duration_reached"), 1);
  client.clear().write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.receives("fine");
  assert.equal(server.peers.length, 2);
});

test("a request that an old connection carries is answered", async (context) => {
  const server = await startRawServer();
  context.after(() => server.stop());
  const proxy = await start(context, server.port, { cluster: { common_http_protocol_options: { max_connection_duration: "0.1s" } } });
  const client = await connect(context, proxy);
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const host = await server.peer(0);
  await host.receives("\r\n\r\n");
  await eventually(() => assert.equal(proxy.stat("cluster.up.upstream_cx_max_duration_reached"), 1), { withinMs: 2000 });
  host.write(ok("late"));
  await client.receives("late");
  await host.untilEnd();
});

test("a response of more headers than the cluster allows is no response", async (context) => {
  const head = (count: number): string => `HTTP/1.1 200 OK\r\n${"X: 1\r\n".repeat(count)}Content-Length: 0\r\n\r\n`;
  const server = await startHttpPeer((request) => head(Number(/^GET \/(\d+)/.exec(request)![1])));
  context.after(() => server.stop());
  const statusOf = async (proxy: TestPlane, count: number): Promise<string> => {
    const client = await connect(context, proxy);
    client.write(`GET /${count} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return (await client.receives("\r\n\r\n")).slice(9, 12);
  };
  const usual = await start(context, server.port);
  assert.deepEqual([await statusOf(usual, 99), await statusOf(usual, 100)], ["200", "502"]);
  const more = await start(context, server.port, { cluster: { common_http_protocol_options: { max_headers_count: 300 } } });
  assert.deepEqual([await statusOf(more, 299), await statusOf(more, 300)], ["200", "502"]);
});
