// Copies of bytes that have to wait, in order. Small pieces share blocks that grow with what waits: a peer that sends a
// byte at a time makes us hold bytes, not objects.

const MAX_BLOCK_BYTES = 16384;

export class ByteQueue {
  /** How many bytes wait. */
  length = 0;
  readonly #blocks: Buffer[] = [];
  /** What of the first block has been taken. */
  #start = 0;
  /** How much of the last block is filled. */
  #end = 0;

  /** Appends a copy of bytes[start, end). */
  push(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (size === 0) return;
    const blocks = this.#blocks;
    let last = blocks.at(-1);
    if (last === undefined || this.#end + size > last.length) {
      // A block that isn't full ends where it is filled: nobody reads its rest.
      if (last !== undefined) blocks[blocks.length - 1] = last.subarray(0, this.#end);
      last = Buffer.allocUnsafe(Math.max(size, Math.min(this.length, MAX_BLOCK_BYTES)));
      blocks.push(last);
      this.#end = 0;
    }
    last.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.#end);
    this.#end += size;
    this.length += size;
  }

  /** The next bytes, at most `maxBytes`; there must be some. */
  peek(maxBytes: number): Buffer {
    const [first] = this.#blocks;
    const end = this.#blocks.length === 1 ? this.#end : first!.length;
    return first!.subarray(this.#start, Math.min(end, this.#start + maxBytes));
  }

  /** Takes away so many of the bytes that `peek` has shown. */
  drop(size: number): void {
    this.#start += size;
    this.length -= size;
    const blocks = this.#blocks;
    if (this.#start < (blocks.length === 1 ? this.#end : blocks[0]!.length)) return;
    blocks.shift();
    this.#start = 0;
  }

  clear(): void {
    this.#blocks.length = 0;
    this.length = this.#start = this.#end = 0;
  }
}
