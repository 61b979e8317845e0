// How long relays may keep the event loop in one turn. libuv reads a connection that always has more 32 times in a row, and
// a request on another connection would wait for 8 MB of each relay. Stopping after a fixed number of bytes costs more: what
// is left in the kernel grows cold (docs/decisions/0019-relays-read-much-and-copy.md).
import { performance } from "node:perf_hooks";
import type { Flushable, FlushQueue } from "./flush-queue.ts";

const TURN_MS = 4;

export class TurnBudget implements Flushable {
  readonly #queue: FlushQueue;
  #startedAt = -1;

  constructor(queue: FlushQueue) {
    this.#queue = queue;
  }

  /** Whether whoever has just read something large should leave the rest for the next turn. */
  isSpent(): boolean {
    const now = performance.now();
    if (this.#startedAt >= 0) return now - this.#startedAt > TURN_MS;
    this.#startedAt = now;
    this.#queue.add(this);
    return false;
  }

  flush(): void {
    this.#startedAt = -1;
  }
}
