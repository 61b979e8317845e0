// Streams that we have reset: what their peer sent before it knew is dropped, while on any other closed stream it would be
// an error (RFC 9113 §5.1).

const REMEMBERED = 512;

export class ResetMemory {
  /** The last ones, from `#oldest` on round. */
  readonly #ids: number[] = [];
  #oldest = 0;
  /** Highest id of those that had to be forgotten. */
  #forgotten = 0;

  add(id: number): void {
    if (this.#ids.length < REMEMBERED) {
      this.#ids.push(id);
      return;
    }
    this.#forgotten = Math.max(this.#forgotten, this.#ids[this.#oldest]!);
    this.#ids[this.#oldest] = id;
    this.#oldest = (this.#oldest + 1) % REMEMBERED;
  }

  /** Also for streams so old that nobody knows any more: they get the benefit of the doubt. */
  has(id: number): boolean {
    return id <= this.#forgotten || this.#ids.includes(id);
  }
}
