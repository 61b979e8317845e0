import assert from "node:assert/strict";
import { test } from "node:test";
import { FlushQueue } from "../../../../src/proxy-runtime/transport/flush-queue.ts";
import { TurnBudget } from "../../../../src/proxy-runtime/transport/turn-budget.ts";

function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("a turn's time is spent when relays have worked for it, and is whole again in the next turn", () => {
  const queue = new FlushQueue();
  const budget = new TurnBudget(queue);
  for (let turn = 0; turn < 2; turn += 1) {
    assert.equal(budget.isSpent(), false, "nobody has worked yet");
    work(10);
    assert.equal(budget.isSpent(), true);
    assert.equal(budget.isSpent(), true);
    queue.flush();
  }
  // What passes between the turns is nobody's.
  work(10);
  assert.equal(budget.isSpent(), false);
});
