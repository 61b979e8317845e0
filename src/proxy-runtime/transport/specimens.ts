// The last finished exchanges of a thread. V8 drops the hidden class of objects of which none is alive when it collects,
// and with it all optimized code that knows the class: after a pause in which every request had ended, the first garbage
// collection would send the whole data path back to the interpreter (docs/decisions/0017-give-memory-back.md).

// So that a few requests of another kind, a probe's, don't push out the others.
const COUNT = 8;

export class Specimens {
  readonly #kept: unknown[] = new Array<unknown>(COUNT).fill(undefined);
  #next = 0;

  /** Keeps the object, and with it all that it refers to, until some more have come. It must hold no large memory. */
  keep(finished: object): void {
    this.#kept[this.#next] = finished;
    this.#next = (this.#next + 1) % COUNT;
  }
}
