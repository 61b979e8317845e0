// Who takes something of a response now and then keeps its stream; who takes nothing, or has all, is no longer looked at.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FlushWatch } from "../../../../../src/proxy-runtime/http/http2/flush-watch.ts";
import type { TimerEntry } from "../../../../../src/proxy-runtime/transport/timers.ts";

/** Timers whose time is up when the test says so. */
function setUp() {
  const armed = new Set<TimerEntry>();
  const stuck: unknown[] = [];
  const timers = { arm: (entry: TimerEntry) => void armed.add(entry), disarm: (entry: TimerEntry) => void armed.delete(entry) };
  const watch = new FlushWatch<{ unsentBytes: number }>(timers, 1000, (stream) => void stuck.push(stream));
  const pass = (): void => {
    const due = [...armed];
    armed.clear();
    for (const each of due) each.owner.onTimer(each.kind);
  };
  return { armed, stuck, watch, pass };
}

describe("a whole response that can't be sent", () => {
  test("is waited for as long as some of it goes out", () => {
    const { stuck, watch, pass } = setUp();
    const stream = { unsentBytes: 3 };
    watch.watch(stream);
    for (; stream.unsentBytes > 1; pass()) stream.unsentBytes -= 1;
    assert.deepEqual(stuck, []);
    pass();
    assert.deepEqual(stuck, [stream]);
  });

  test("is forgotten when its stream is over", () => {
    const { armed, stuck, watch, pass } = setUp();
    const [gone, left] = [{ unsentBytes: 1 }, { unsentBytes: 2 }];
    watch.watch(gone);
    watch.watch(left);
    watch.forget(gone);
    pass();
    assert.deepEqual([stuck, armed.size], [[left], 0]);
  });
});
