// Whoever has output pending is flushed once, at the end of the read callback that caused it: one write per socket and
// turn is the rule that pays most (docs/performance.md). Outside a read callback the flush follows in the same tick.

export interface Flushable {
  flush(): void;
}

export class FlushQueue {
  #pending: Flushable[] = [];
  #spare: Flushable[] = [];
  #depth = 0;
  #scheduled = false;

  /** The flushable is flushed once, soon; it must not add itself again before that. */
  add(flushable: Flushable): void {
    this.#pending.push(flushable);
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
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = this.#spare;
      for (const each of batch) each.flush();
      batch.length = 0;
      this.#spare = batch;
    }
  }

  readonly #flushSoon = (): void => {
    this.#scheduled = false;
    this.flush();
  };
}
