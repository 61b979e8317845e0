// Bytes that could not be used yet: the beginning of a head, or a pipelined request that must wait. Owned by one
// connection; most connections never need one.

export class Carry {
  #bytes: Buffer | undefined = undefined;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  get bytes(): Buffer {
    return this.#bytes!;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** Appends a copy of bytes[from, to). */
  append(bytes: Buffer, from: number, to: number): void {
    const added = to - from;
    if (added === 0) return;
    const kept = this.length;
    if (this.#bytes === undefined || this.#end + added > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(1024, 2 ** Math.ceil(Math.log2(kept + added))));
      if (kept > 0) grown.set(this.#bytes!.subarray(this.#start, this.#end));
      this.#bytes = grown;
      this.#start = 0;
      this.#end = kept;
    }
    this.#bytes.set(bytes.subarray(from, to), this.#end);
    this.#end += added;
  }

  /** Drops everything before offset `to`. An emptied carry gives its memory back. */
  consume(to: number): void {
    this.#start = to;
    if (this.#start === this.#end) {
      this.#bytes = undefined;
      this.#start = 0;
      this.#end = 0;
    }
  }
}
