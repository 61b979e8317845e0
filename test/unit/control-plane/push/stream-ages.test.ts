// How old a stream may become, on a clock that the test moves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { StreamAges } from "../../../../src/control-plane/push/stream-ages.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const MINUTE_MS = 60_000;

test("a stream is closed after half an hour, give or take three minutes", async () => {
  for (const [random, minutes] of [
    [0, 27],
    [0.5, 30],
  ] as const) {
    const clock = new ManualClock();
    const ages = new StreamAges(clock, () => random);
    let closed = 0;
    ages.opened({ close: () => closed++ });
    await clock.advance(minutes * MINUTE_MS - 1);
    assert.equal(closed, 0);
    await clock.advance(1);
    assert.equal(closed, 1);
  }
});

test("a stream that ended by itself is forgotten", async () => {
  const clock = new ManualClock();
  const ages = new StreamAges(clock);
  const stream = { close: () => assert.fail("closed twice") };
  ages.opened(stream);
  ages.closed(stream);
  assert.equal(clock.pending, 0);
  await clock.advance(60 * MINUTE_MS);
});
