// Connections to upstream hosts under limits, idle times and changing endpoints.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { plainHop, startPlane, type Json, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, ok, startHttpPeer, startRawServer, type RawPeer } from "../../support/raw-peer.ts";

async function start(context: TestContext, ports: readonly number[], cluster: Json): Promise<TestPlane> {
  const proxy = await startPlane(plainHop(ports, { cluster }));
  context.after(() => proxy.stop());
  return proxy;
}

async function ask(context: TestContext, proxy: TestPlane, path: string): Promise<RawPeer> {
  const client = await connectRaw(proxy.port());
  context.after(() => client.destroy());
  return client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
}

describe("the connection pool", () => {
  test("keeps waiters until a connection is free", async (context) => {
    const server = await startRawServer();
    context.after(() => server.stop());
    const proxy = await start(context, [server.port], { circuit_breakers: { thresholds: [{ max_connections: 1 }] } });
    const first = await ask(context, proxy, "/1");
    const upstream = await server.peer(0);
    await upstream.receives("/1");
    const second = await ask(context, proxy, "/2");
    await eventually(() => assert.equal(proxy.stat("cluster.up.upstream_rq_pending_active"), 1), { withinMs: 2000 });
    upstream.write(ok("first"));
    await first.receives("first");
    await upstream.receives("/2");
    upstream.write(ok("second"));
    await second.receives("second");
    assert.equal(server.peers.length, 1);
    assert.equal(proxy.stat("cluster.up.upstream_cx_overflow"), 1);
  });

  test("opens a connection for waiters of a host that has lost its last one, even at the limit", async (context) => {
    const servers = [await startRawServer(), await startRawServer()];
    context.after(async () => void (await Promise.all(servers.map((each) => each.stop()))));
    const proxy = await start(
      context,
      servers.map((each) => each.port),
      { circuit_breakers: { thresholds: [{ max_connections: 1 }] } },
    );
    // In turns: each host gets one connection and then one waiter.
    for (const path of ["/1", "/2", "/3", "/4"]) await ask(context, proxy, path);
    await eventually(() => assert.equal(proxy.stat("cluster.up.upstream_rq_pending_active"), 2), { withinMs: 2000 });
    const [one] = servers;
    (await one!.peer(0)).destroy();
    await (await one!.peer(1)).receives("GET /");
  });

  test("refuses beyond the limit of waiters, and closes what was idle for too long", async (context) => {
    const server = await startHttpPeer(() => ok("fine"));
    context.after(() => server.stop());
    const idle = {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          common_http_protocol_options: { idle_timeout: "0.1s" },
          explicit_http_config: { http_protocol_options: {} },
        },
      },
    };
    const proxy = await start(context, [server.port], idle);
    await (await ask(context, proxy, "/")).receives("fine");
    await eventually(() => assert.equal(proxy.stat("cluster.up.upstream_cx_idle_timeout"), 1), { withinMs: 2000 });
    assert.equal(proxy.stat("cluster.up.upstream_cx_active"), 0);
    const none = await start(context, [server.port], { circuit_breakers: { thresholds: [{ max_pending_requests: 0 }] } });
    assert.match(
      await (await ask(context, none, "/")).receives("overflow"),
      /^HTTP\/1\.1 503 [^]*x-mesh-error: UO; by=policy; detail="[^"]*pending/,
    );
    assert.equal(none.stat("cluster.up.upstream_rq_pending_overflow"), 1);
  });
});
