// Whoever has output pending is flushed once, at the end of the read callback that caused it: one write per socket and
// turn is the rule that pays most (docs/performance.md). Outside a read callback the flush follows in the same tick.

export interface Flushable {
  flush(): void;
}

export class FlushQueue {
  /** The first #count are pending. */
  readonly #pending: (Flushable | undefined)[] = [];
  #count = 0;
  #next = 0;
  #depth = 0;
  #scheduled = false;

  /** The flushable is flushed once, soon; it must not add itself again before that. */
  add(flushable: Flushable): void {
    this.#pending[this.#count] = flushable;
    this.#count += 1;
    if (this.#depth === 0 && !this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(this.#flushSoon);
    }
  }

  /** Brackets a read callback: between enter and leave nothing is flushed. */
  enter(): void {
    this.#depth += 1;
  }

  leave(): void {
    this.#depth -= 1;
    if (this.#depth === 0) this.flush();
  }

  flush(): void {
    // Flushing may add more, or flush everything itself.
    while (this.#next < this.#count) {
      const each = this.#pending[this.#next]!;
      this.#pending[this.#next] = undefined;
      this.#next += 1;
      each.flush();
    }
    this.#next = 0;
    this.#count = 0;
  }

  readonly #flushSoon = (): void => {
    this.#scheduled = false;
    this.flush();
  };
}
