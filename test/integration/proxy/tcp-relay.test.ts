// What is not HTTP, over one proxy and over two with mTLS between them: bytes both ways, ends of each direction by
// themselves, resets, and senders that are faster than receivers.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { CHAINS, startRelayChain, type RelayChain } from "../../support/relay-chain.ts";
import { SteadySource, checkedSink } from "../../support/steady-source.ts";

/** Nothing is left of any connection, on either side. */
async function isQuiet({ client, far }: RelayChain): Promise<void> {
  await eventually(
    () => {
      for (const plane of [client, far]) {
        assert.equal(plane.stat("tcp.test.downstream_cx_active"), 0);
        for (const name of ["up", "app"]) assert.equal(plane.stat(`cluster.${name}.upstream_cx_active`), 0);
        assert.equal(plane.stat("meshctl.internal_errors"), 0);
      }
    },
    { withinMs: 3000 },
  );
}

for (const kind of CHAINS) {
  describe(`a TCP relay over ${kind}`, () => {
    test("passes bytes both ways, whoever speaks first", async (context) => {
      const chain = await startRelayChain(context, kind, { script: (peer) => void peer.write("220 welcome\r\n") });
      const client = await chain.connect();
      await client.receives("220 welcome\r\n");
      client.write("EHLO\r\n\0\xff");
      assert.equal(await (await chain.server.peer(0)).receives("\xff"), "EHLO\r\n\0\xff");
    });

    test("lets the server go on after the client has ended its half", async (context) => {
      const chain = await startRelayChain(context, kind);
      const client = await chain.connect();
      client.end("question");
      const upstream = await chain.server.peer(0);
      await upstream.until((peer) => peer.ended, "FIN");
      assert.equal(upstream.text, "question");
      upstream.write("first ");
      await client.receives("first ");
      upstream.end("second");
      assert.equal(await client.untilEnd(), "first second");
      assert.equal(client.error, undefined);
      await isQuiet(chain);
    });

    test("lets the client go on after the server has ended its half", async (context) => {
      const chain = await startRelayChain(context, kind, { script: (peer) => void peer.end("that is all") });
      const client = await chain.connect();
      await client.until((peer) => peer.ended, "FIN");
      assert.equal(client.text, "that is all");
      client.write("still here");
      const upstream = await chain.server.peer(0);
      await upstream.receives("still here");
      client.end(", bye");
      await upstream.until((peer) => peer.ended, "FIN");
      assert.equal(upstream.text, "still here, bye");
      assert.equal(upstream.error, undefined);
      await isQuiet(chain);
    });

    test("passes a reset on, in both directions", async (context) => {
      const chain = await startRelayChain(context, kind);
      const one = await chain.pair();
      one.client.reset();
      await one.upstream.until((peer) => peer.closed, "close");
      assert.equal(one.upstream.error?.code, "ECONNRESET");
      const two = await chain.pair();
      two.upstream.reset();
      await two.client.until((peer) => peer.closed, "close");
      assert.equal(two.client.error?.code, "ECONNRESET");
      await isQuiet(chain);
    });

    for (const direction of ["client to server", "server to client"] as const) {
      test(`holds a fast sender back from ${direction} and loses nothing`, async (context) => {
        const totalBytes = 64 * 1024 * 1024;
        const chain = await startRelayChain(context, kind);
        const { client, upstream } = await chain.pair();
        const [sender, receiver] = direction === "client to server" ? [client, upstream] : [upstream, client];
        const sink = checkedSink(receiver.socket);
        const source = new SteadySource(sender.socket, totalBytes);
        await source.heldBack();
        assert.ok(source.sentBytes < totalBytes / 2, `the sender got rid of ${source.sentBytes} bytes that nobody read`);
        sink.read();
        assert.deepEqual(await sink.ended(), { receivedBytes: totalBytes, wrongBytes: 0 });
        const [paused, resumed] = ["paused", "resumed"].map((what) =>
          [chain.client, chain.far].reduce((sum, each) => sum + flowControl(each, what), 0),
        );
        assert.ok(paused! > 0 && paused === resumed, `paused ${paused} times, resumed ${resumed} times`);
      });
    }
  });
}

function flowControl(plane: RelayChain["client"], what: string): number {
  return ["tcp.test.downstream", "cluster.up.upstream", "cluster.app.upstream"].reduce(
    (sum, prefix) => sum + plane.stat(`${prefix}_flow_control_${what}_reading_total`),
    0,
  );
}
