import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { FlushQueue } from "../../../../src/proxy-runtime/transport/flush-queue.ts";

describe("the flush queue", () => {
  test("flushes once before the loop waits again, in order", async () => {
    const queue = new FlushQueue();
    const order: string[] = [];
    const add = (name: string) => queue.add({ flush: () => void order.push(name) });
    add("a");
    add("b");
    await Promise.resolve();
    add("c");
    assert.deepEqual(order, []);
    await turn();
    assert.deepEqual(order, ["a", "b", "c"]);
    await turn();
    assert.equal(order.length, 3);
    add("d");
    await turn();
    assert.deepEqual(order, ["a", "b", "c", "d"]);
  });

  test("flushes at once when asked, and not again", async () => {
    const queue = new FlushQueue();
    let flushed = 0;
    queue.add({ flush: () => void (flushed += 1) });
    queue.flush();
    assert.equal(flushed, 1);
    await turn();
    assert.equal(flushed, 1);
  });

  test("also flushes what a flush adds, and one that flushes everything meanwhile", async () => {
    const queue = new FlushQueue();
    const order: string[] = [];
    queue.add({
      flush() {
        order.push("first");
        queue.add({ flush: () => void order.push("added") });
        queue.flush();
      },
    });
    queue.add({ flush: () => void order.push("second") });
    await turn();
    assert.deepEqual(order.sort(), ["added", "first", "second"]);
  });
});
