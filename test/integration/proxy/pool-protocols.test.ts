// What a pool's connections speak and how long they live: one for all requests where the peer is a meshctl, whatever the
// peer chooses otherwise, each within the cluster's limits.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import type { Json } from "../../support/proxy-plane.ts";
import { ok, type RawPeer } from "../../support/raw-peer.ts";
import { MESH_ALPN, startSidecarPair, type SidecarPair, type SidecarPairOptions } from "../../support/sidecar-pair.ts";

const within = { withinMs: 5000 };
const AT_ONCE = 20;

/** An HTTP protocol options extension that follows the client's version. */
function options(common: Json): Json {
  const name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const value = {
    "@type": `type.googleapis.com/${name}`,
    common_http_protocol_options: common,
    use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} },
  };
  return { typed_extension_protocol_options: { [name]: value } };
}

/** Sidecars before an application that answers every request. */
async function start(context: TestContext, more: SidecarPairOptions = {}): Promise<SidecarPair> {
  return startSidecarPair(context, MESH_ALPN, { script: (peer) => void peer.socket.on("data", () => peer.write(ok("fine"))), ...more });
}

/** Requests of as many clients at once, all answered. */
async function askAll({ send }: SidecarPair, count = AT_ONCE): Promise<void> {
  const clients = await Promise.all(Array.from({ length: count }, () => send()));
  for (const each of clients) await each.receives("fine");
}

const count = (pair: SidecarPair, name: string): number => pair.client.stat(`cluster.up.${name}`);

describe("of the pool towards a sidecar", () => {
  test("all requests share one connection, the first as well as the last", async (context) => {
    const pair = await start(context);
    await askAll(pair);
    await askAll(pair);
    assert.equal(count(pair, "upstream_cx_total"), 1);
    assert.equal(count(pair, "upstream_cx_http2_total"), 1);
    assert.equal(pair.server.stat("http.test.downstream_cx_total"), 1);
  });

  test("a second connection is opened when the first is full, and no request fails", async (context) => {
    const held: RawPeer[] = [];
    const pair = await start(context, {
      manager: { http2_protocol_options: { max_concurrent_streams: 8 } },
      script: (peer) => void peer.socket.on("data", () => held.push(peer)),
    });
    const clients = await Promise.all(Array.from({ length: 12 }, () => pair.send()));
    await eventually(() => assert.equal(held.length, 12), within);
    for (const each of held) each.write(ok("fine"));
    for (const each of clients) await each.receives("fine");
    assert.equal(count(pair, "upstream_cx_active"), 2);
  });

  test("one that does not know the mesh transport is spoken to in HTTP/1.1, on the connection that found out", async (context) => {
    const pair = await start(context, { inboundAlpn: ["istio-http/1.1", "http/1.1"] });
    const client = await pair.send();
    await client.receives("fine");
    assert.deepEqual([count(pair, "upstream_cx_total"), count(pair, "upstream_cx_http1_total")], [1, 1]);
    client.clear().write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.receives("fine");
    assert.equal(count(pair, "upstream_cx_total"), 1);
    await askAll(pair);
    assert.equal(count(pair, "upstream_cx_http2_total"), 0);
  });

  test("the request that fills a connection's number is its last, and others go on elsewhere", async (context) => {
    const pair = await start(context, { cluster: options({ max_requests_per_connection: 5 }) });
    await askAll(pair);
    assert.equal(count(pair, "upstream_cx_max_requests"), 4);
    await eventually(() => assert.equal(count(pair, "upstream_cx_active"), 0), within);
  });

  test("a connection that is too old ends without failing a request", async (context) => {
    const pair = await start(context, { cluster: options({ max_connection_duration: "0.2s" }) });
    const endsAt = performance.now() + 1000;
    while (performance.now() < endsAt) await askAll(pair, 4);
    assert.ok(count(pair, "upstream_cx_max_duration_reached") >= 2);
    assert.equal(pair.client.metric("istio_requests_total", { response_code: "503" }), 0);
  });

  test("a new configuration with other TLS lets requests under way end where they are, and opens new connections", async (context) => {
    const held: RawPeer[] = [];
    const pair = await start(context, { script: (peer) => void peer.socket.on("data", () => held.push(peer)) });
    const before = await pair.send();
    await eventually(() => assert.equal(held.length, 1), within);
    const cluster = pair.client.config.clusters.get("up")!;
    const tls = { ...cluster.tls!, alpn: ["istio-http/1.1", "istio"] };
    await pair.client.plane.apply({ ...pair.client.config, clusters: new Map([["up", { ...cluster, tls }]]) });
    const after = await pair.send();
    await eventually(() => assert.equal(held.length, 2), within);
    for (const each of held) each.write(ok("fine"));
    await Promise.all([before.receives("fine"), after.receives("fine")]);
    assert.deepEqual([count(pair, "upstream_cx_http2_total"), count(pair, "upstream_cx_http1_total")], [1, 1]);
    await eventually(() => assert.equal(count(pair, "upstream_cx_active"), 1), within);
  });
});
