// Request body kept for a second attempt, as long as it is small.

const MAX_BYTES = 65536;

export class ReplayBuffer {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #overflowed = false;

  /** Keeps a copy; past the limit everything is dropped and the request can't be tried again. */
  append(chunk: Uint8Array): void {
    if (this.#overflowed || chunk.length === 0) return;
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_BYTES) {
      this.#overflowed = true;
      this.#chunks = [];
      return;
    }
    this.#chunks.push(Buffer.from(chunk));
  }

  get isWhole(): boolean {
    return !this.#overflowed;
  }

  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }
}
