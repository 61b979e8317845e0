import assert from "node:assert/strict";
import { test } from "node:test";
import { PushQueue } from "../../../../src/control-plane/push/push-queue.ts";
import { settle } from "../../../support/manual-clock.ts";

class Target {
  closed = false;
  pushes = 0;
  #finish: ((error?: Error) => void) | undefined;

  push(): Promise<void> {
    this.pushes++;
    return new Promise((resolve, reject) => {
      this.#finish = (error) => (error === undefined ? resolve() : reject(error));
    });
  }

  async finish(error?: Error): Promise<void> {
    this.#finish?.(error);
    await settle();
  }
}

test("changes during a push to a slow proxy become one push after it", async () => {
  const queue = new PushQueue<Target>(5, () => undefined);
  const target = new Target();
  queue.enqueue(target);
  queue.enqueue(target);
  queue.enqueue(target);
  assert.equal(target.pushes, 1);
  await target.finish();
  assert.equal(target.pushes, 2);
  await target.finish();
  assert.equal(target.pushes, 2);
});

test("a slow proxy holds up nobody else, but only so many are served at a time", async () => {
  const queue = new PushQueue<Target>(2, () => undefined);
  const targets = [new Target(), new Target(), new Target()];
  for (const each of targets) queue.enqueue(each);
  assert.deepEqual(
    targets.map((each) => each.pushes),
    [1, 1, 0],
  );
  await targets[1]!.finish();
  assert.deepEqual(
    targets.map((each) => each.pushes),
    [1, 1, 1],
  );
});

test("a proxy that has left is not pushed to, and one that fails is told about and makes room", async () => {
  const failures: unknown[] = [];
  const queue = new PushQueue<Target>(1, (_, error) => failures.push(error));
  const [failing, gone, next] = [new Target(), new Target(), new Target()];
  queue.enqueue(failing);
  queue.enqueue(gone);
  queue.enqueue(next);
  gone.closed = true;
  await failing.finish(new Error("broken"));
  assert.deepEqual([gone.pushes, next.pushes, failures.length], [0, 1, 1]);
});
