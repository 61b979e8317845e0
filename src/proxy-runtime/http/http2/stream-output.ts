// What a stream has still to send when windows or the socket are full: copies of data, then trailers or the end.
import type { HeaderList } from "../header-list.ts";

export class StreamOutput {
  #chunks: Buffer[] = [];
  /** What of the first chunk has been sent. */
  #offset = 0;
  /** The stream ends after the last chunk. */
  endsWithData = false;
  trailers: HeaderList | undefined = undefined;

  get isEmpty(): boolean {
    return this.#chunks.length === 0 && !this.endsWithData && this.trailers === undefined;
  }

  get hasData(): boolean {
    return this.#chunks.length > 0;
  }

  /** Keeps a copy of data[start, …). */
  add(data: Uint8Array, start: number): void {
    if (start < data.length) this.#chunks.push(Buffer.from(data.subarray(start)));
  }

  /** The next piece, at most `maxBytes`. */
  peek(maxBytes: number): Buffer {
    const chunk = this.#chunks[0]!;
    return chunk.subarray(this.#offset, this.#offset + maxBytes);
  }

  /** Whether a piece of that length is all the data there is. */
  isLast(length: number): boolean {
    return this.#chunks.length === 1 && this.#offset + length === this.#chunks[0]!.length;
  }

  /** That much of the first chunk has been sent. */
  drop(length: number): void {
    this.#offset += length;
    if (this.#offset < this.#chunks[0]!.length) return;
    this.#chunks.shift();
    this.#offset = 0;
  }

  clear(): void {
    this.#chunks = [];
    this.#offset = 0;
    this.endsWithData = false;
    this.trailers = undefined;
  }
}
