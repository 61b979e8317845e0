import assert from "node:assert/strict";
import { test } from "node:test";
import { Debounce } from "../../../../src/control-plane/push/debounce.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

function debounce(): { clock: ManualClock; subject: Debounce; fired: () => number } {
  const clock = new ManualClock();
  let count = 0;
  return { clock, subject: new Debounce({ clock, quietMs: 100, maxMs: 1000, fire: () => count++ }), fired: () => count };
}

test("a burst of changes fires once, when it has been quiet for a while", async () => {
  const { clock, subject, fired } = debounce();
  for (let index = 0; index < 5; index++) {
    subject.trigger();
    await clock.advance(50);
  }
  assert.equal(fired(), 0);
  await clock.advance(50);
  assert.equal(fired(), 1);
  await clock.advance(5000);
  assert.equal(fired(), 1);
});

test("changes that never stop fire all the same, after the longest wait", async () => {
  const { clock, subject, fired } = debounce();
  for (let index = 0; index < 40; index++) {
    subject.trigger();
    await clock.advance(50);
  }
  assert.equal(fired(), 2);
});

test("a stopped one fires no more", async () => {
  const { clock, subject, fired } = debounce();
  subject.trigger();
  subject.stop();
  await clock.advance(1000);
  assert.equal(fired(), 0);
});
