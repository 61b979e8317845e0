import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { FlushQueue } from "../../../../src/proxy-runtime/transport/flush-queue.ts";

describe("the flush queue", () => {
  test("flushes at the end of the outermost read callback, in order", () => {
    const queue = new FlushQueue();
    const order: string[] = [];
    const add = (name: string) => queue.add({ flush: () => void order.push(name) });
    queue.enter();
    add("a");
    queue.enter();
    add("b");
    queue.leave();
    assert.deepEqual(order, []);
    add("c");
    queue.leave();
    assert.deepEqual(order, ["a", "b", "c"]);
    queue.enter();
    queue.leave();
    assert.equal(order.length, 3);
  });

  test("flushes in the same turn outside of read callbacks, once", async () => {
    const queue = new FlushQueue();
    let flushed = 0;
    queue.add({ flush: () => void (flushed += 1) });
    assert.equal(flushed, 0);
    await turn();
    assert.equal(flushed, 1);
  });

  test("also flushes what a flush adds, and one that flushes everything meanwhile", () => {
    const queue = new FlushQueue();
    const order: string[] = [];
    queue.enter();
    queue.add({
      flush() {
        order.push("first");
        queue.add({ flush: () => void order.push("added") });
        queue.enter();
        queue.leave();
      },
    });
    queue.add({ flush: () => void order.push("second") });
    queue.leave();
    assert.deepEqual(order.sort(), ["added", "first", "second"]);
  });
});
