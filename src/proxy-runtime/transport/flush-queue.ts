// Whoever has output pending is flushed once per turn of the event loop, after all sockets that were readable have been
// read: one write per socket and turn, and peers are woken when there is something for them to do together. Against a
// flush at the end of each read callback this saves an eighth of the CPU per request (docs/performance.md).

export interface Flushable {
  flush(): void;
}

export class FlushQueue {
  readonly #onThrown: (thrown: unknown) => void;
  /** The first #count are pending. */
  readonly #pending: (Flushable | undefined)[] = [];
  #count = 0;
  #next = 0;
  #scheduled = false;
  /** The last one, kept for its hidden class (specimens.ts). */
  readonly #immediate: NodeJS.Immediate[] = [];

  /** @param onThrown told what a flush threw; the others are flushed all the same. */
  constructor(onThrown: (thrown: unknown) => void = rethrow) {
    this.#onThrown = onThrown;
  }

  /** The flushable is flushed once, before the loop waits again; it must not add itself again before that. */
  add(flushable: Flushable): void {
    this.#pending[this.#count] = flushable;
    this.#count += 1;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#immediate[0] = setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** Flushes all that are pending. */
  flush(): void {
    // Flushing may add more, or flush everything itself.
    while (this.#next < this.#count) {
      const each = this.#pending[this.#next]!;
      this.#pending[this.#next] = undefined;
      this.#next += 1;
      try {
        each.flush();
      } catch (thrown) {
        this.#onThrown(thrown);
      }
    }
    this.#next = 0;
    this.#count = 0;
  }
}

function rethrow(thrown: unknown): never {
  throw thrown;
}
