// What is not HTTP: bytes both ways, ends of each direction by themselves, and connections that break.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { cluster, listener, staticResources, startPlane, tcpFilter, type Json, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, startRawServer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";

interface Relay {
  readonly proxy: TestPlane;
  readonly server: RawServer;
  readonly connect: () => Promise<RawPeer>;
}

async function startRelay(
  context: TestContext,
  script?: (peer: RawPeer) => void,
  more: { tcp?: Json; cluster?: Json } = {},
): Promise<Relay> {
  const server = await startRawServer(script);
  const proxy = await startPlane(
    staticResources([listener([{ filters: [tcpFilter("up", more.tcp)] }])], [cluster("up", [server.port], more.cluster)]),
  );
  context.after(async () => {
    await proxy.stop();
    await server.stop();
  });
  return { proxy, server, connect: () => connectRaw(proxy.port()) };
}

describe("a TCP relay", () => {
  test("passes bytes both ways, whoever speaks first", async (context) => {
    const { connect, server } = await startRelay(context, (peer) => void peer.write("220 welcome\r\n"));
    const client = await connect();
    await client.receives("220 welcome\r\n");
    client.write("EHLO\r\n\0\xff");
    assert.equal(await (await server.peer(0)).receives("\xff"), "EHLO\r\n\0\xff");
  });

  test("lets the server go on after the client has ended its half", async (context) => {
    const { connect, server, proxy } = await startRelay(context);
    const client = await connect();
    client.end("question");
    const upstream = await server.peer(0);
    await upstream.until((peer) => peer.ended, "FIN");
    assert.equal(upstream.text, "question");
    upstream.write("first ");
    await client.receives("first ");
    upstream.end("second");
    assert.equal(await client.untilEnd(), "first second");
    await eventually(() => assert.equal(proxy.stat("tcp.test.downstream_cx_active"), 0), { withinMs: 2000 });
    assert.equal(proxy.stat("cluster.up.upstream_cx_active"), 0);
  });

  test("lets the client go on after the server has ended its half", async (context) => {
    const { connect, server, proxy } = await startRelay(context, (peer) => void peer.end("that is all"));
    const client = await connect();
    await client.until((peer) => peer.ended, "FIN");
    assert.equal(client.text, "that is all");
    client.write("still here");
    const upstream = await server.peer(0);
    await upstream.receives("still here");
    client.end(", bye");
    await upstream.until((peer) => peer.ended, "FIN");
    assert.equal(upstream.text, "still here, bye");
    await eventually(() => assert.equal(proxy.stat("tcp.test.downstream_cx_active"), 0), { withinMs: 2000 });
  });

  test("passes a reset on, in both directions", async (context) => {
    const { connect, server, proxy } = await startRelay(context);
    const one = await connect();
    one.write("x");
    const upstream = await server.peer(0);
    await upstream.receives("x");
    one.reset();
    await upstream.until((peer) => peer.closed, "close");
    assert.equal(upstream.error?.code, "ECONNRESET");
    const two = await connect();
    two.write("y");
    const other = await server.peer(1);
    await other.receives("y");
    other.reset();
    await two.until((peer) => peer.closed, "close");
    assert.equal(two.error?.code, "ECONNRESET");
    await eventually(() => assert.equal(proxy.stat("tcp.test.downstream_cx_active"), 0), { withinMs: 2000 });
    assert.equal(proxy.stat("cluster.up.upstream_cx_active"), 0);
  });

  test("resets the client when nobody listens", async (context) => {
    const gone = await startRawServer();
    await gone.stop();
    const proxy = await startPlane(staticResources([listener([{ filters: [tcpFilter("up")] }])], [cluster("up", [gone.port])]));
    context.after(() => proxy.stop());
    const client = await connectRaw(proxy.port()).catch(() => undefined);
    await client?.until((peer) => peer.closed, "close");
    await eventually(() => assert.equal(proxy.stat("tcp.test.downstream_cx_active"), 0), { withinMs: 2000 });
    assert.equal(proxy.stat("cluster.up.upstream_cx_connect_fail"), 1);
  });

  test("refuses beyond the cluster's connection limit", async (context) => {
    const { connect, server, proxy } = await startRelay(context, undefined, {
      cluster: { circuit_breakers: { thresholds: [{ max_connections: 1 }] } },
    });
    const first = await connect();
    first.write("1");
    await (await server.peer(0)).receives("1");
    // The reset may come before connect() has returned.
    const second = await connect().catch(() => undefined);
    await second?.until((peer) => peer.closed, "close");
    assert.equal(proxy.stat("cluster.up.upstream_cx_overflow"), 1);
    first.reset();
    await eventually(
      async () => {
        const third = await connect();
        third.write("3");
        await (await server.peer(1)).receives("3");
        third.destroy();
      },
      { withinMs: 3000 },
    );
  });

  test("closes both sides when no byte has passed for the idle time, and not before", async (context) => {
    const { connect, server, proxy } = await startRelay(context, undefined, { tcp: { idle_timeout: "0.2s" } });
    const client = await connect();
    const upstream = await server.peer(0);
    const started = performance.now();
    while (performance.now() - started < 400) {
      client.write(".");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(client.closed || client.ended, false);
    await client.until((peer) => peer.closed || peer.ended, "close");
    await upstream.until((peer) => peer.closed || peer.ended, "close");
    assert.equal(proxy.stat("tcp.test.idle_timeout"), 1);
  });

  for (const direction of ["to a slow client", "to a slow server"] as const) {
    test(`holds a fast sender back ${direction}, and loses nothing`, async (context) => {
      const total = 32 * 1024 * 1024;
      const { connect, server } = await startRelay(context);
      const client = await connect();
      client.write("!");
      const upstream = await server.peer(0);
      await upstream.receives("!");
      const [sender, receiver] = direction === "to a slow client" ? [upstream.socket, client.socket] : [client.socket, upstream.socket];
      receiver.removeAllListeners("data");
      receiver.pause();
      // Each byte tells its place, so that a block lost or swapped shows.
      const block = Buffer.from(Array.from({ length: 65536 }, (_, index) => index % 251));
      let sent = 0;
      let waiting = false;
      const pump = (): void => {
        while (sent < total) {
          sent += block.length;
          if (!sender.write(block)) {
            waiting = true;
            return;
          }
        }
        sender.end();
      };
      sender.on("drain", () => {
        waiting = false;
        pump();
      });
      pump();
      let last = -1;
      await eventually(
        async () => {
          const before = sent;
          await new Promise((resolve) => setTimeout(resolve, 100));
          last = sent;
          assert.ok(waiting && sent === before, "the sender is not held back yet");
        },
        { withinMs: 5000 },
      );
      assert.ok(last < total / 2, `the sender got rid of ${last} bytes that nobody read`);
      let received = 0;
      let wrong = 0;
      receiver.on("data", (chunk: Buffer) => {
        // A sample per chunk is enough to see blocks out of order.
        if (chunk[0] !== (received % 65536) % 251) wrong += 1;
        received += chunk.length;
      });
      receiver.resume();
      await new Promise((resolve) => receiver.once("end", resolve));
      assert.equal(received, total);
      assert.equal(wrong, 0);
    });
  }
});
