// What a changed listener does to the connections that it has.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { httpFilter, listener, startPlane, staticResources, type Json, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw } from "../../support/raw-peer.ts";

const direct = (body: string): Json =>
  httpFilter([{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: body } } }]);
const range = (address_prefix: string): Json => ({ address_prefix, prefix_len: 32 });

/** A chain for addresses, and a default that takes the rest. */
const bootstrap = (addresses: readonly string[], body: string): Json =>
  staticResources(
    [
      listener([{ name: "services", filter_chain_match: { prefix_ranges: addresses.map(range) }, filters: [direct(body)] }], {
        default_filter_chain: { name: "rest", filters: [direct("rest")] },
      }),
    ],
    [],
  );

async function start(context: TestContext): Promise<TestPlane> {
  const proxy = await startPlane(bootstrap(["127.0.0.1"], "services"));
  context.after(() => proxy.stop());
  return proxy;
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("an update of a listener", () => {
  test("that only changes for which addresses a chain is leaves its connections alone", async (context) => {
    const proxy = await start(context);
    const peer = await connectRaw(proxy.port());
    peer.write(GET);
    await peer.receives("services");
    await proxy.apply(bootstrap(["10.0.0.1", "127.0.0.2"], "services"));
    peer.clear().write(GET);
    assert.doesNotMatch(await peer.receives("services"), /connection: close/i);
    // New ones go by the new addresses.
    const other = await connectRaw(proxy.port());
    other.write(GET);
    await other.receives("rest");
    for (const each of [peer, other]) each.destroy();
  });

  test("that changes what a chain does lets its connections end after one more request", async (context) => {
    const proxy = await start(context);
    const peer = await connectRaw(proxy.port());
    peer.write(GET);
    await peer.receives("services");
    await proxy.apply(bootstrap(["127.0.0.1"], "changed"));
    peer.clear().write(GET);
    await peer.until((each) => each.closed || each.ended, "close");
  });
});
