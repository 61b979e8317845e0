// How the streams of a replica that ends are closed, on a clock that the test moves.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { drainStreams } from "../../../../src/control-plane/push/drain-streams.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const clock = new ManualClock();

/** Streams that are gone once closed, and when each was closed, in ms since the start. */
function open(count: number): { streams: Set<{ close(): void }>; closedMs: number[]; add: (stays?: boolean) => void } {
  const startMs = clock.now();
  const streams = new Set<{ close(): void }>();
  const closedMs: number[] = [];
  const add = (stays = false): void => {
    const stream = {
      close() {
        closedMs.push(clock.now() - startMs);
        if (!stays) streams.delete(stream);
      },
    };
    streams.add(stream);
  };
  for (let index = 0; index < count; index++) add();
  return { streams, closedMs, add };
}

describe("the streams of a replica that ends", () => {
  test("are closed one after the other, once nobody is sent here any more", async () => {
    const { streams, closedMs } = open(3);
    const drained = drainStreams(streams, clock);
    await clock.advance(2_000);
    await drained;
    assert.deepEqual(closedMs, [1_000, 1_100, 1_200]);
  });

  test("are all closed within six seconds, however many there are", async () => {
    const { streams, closedMs } = open(3_000);
    const drained = drainStreams(streams, clock);
    await clock.advance(6_000);
    await drained;
    assert.equal(closedMs.length, 3_000);
    assert.ok(closedMs.filter((each) => each < 3_500).length > 1_000 && closedMs.filter((each) => each >= 3_500).length > 1_000);
  });

  test("that come back meanwhile are closed again", async () => {
    const { streams, closedMs, add } = open(2);
    const drained = drainStreams(streams, clock);
    await clock.advance(1_000);
    add();
    await clock.advance(1_000);
    await drained;
    assert.equal(closedMs.length, 3);
  });

  test("are not waited for: one that doesn't end is left to the server's end", async () => {
    const { streams, closedMs, add } = open(0);
    add(true);
    const drained = drainStreams(streams, clock);
    await clock.advance(2_000);
    await drained;
    assert.equal(closedMs.length, 1);
  });

  test("that aren't there keep nobody waiting", async () => {
    await drainStreams(new Set(), clock);
  });
});
