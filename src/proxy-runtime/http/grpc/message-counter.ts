// Counts the messages of one direction of a gRPC call: five bytes of prefix (a flag for compression and the length), then
// the message. Body bytes come cut anywhere; nothing of them is kept.

const PREFIX_BYTES = 5;

export class MessageCounter {
  /** Messages whose last byte has come. */
  count = 0;
  /** Bytes of the present prefix that have come. */
  #prefixBytes = 0;
  #length = 0;
  /** Bytes of the present message that are still to come. */
  #left = 0;

  add(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
        if (this.#left === 0) this.count += 1;
        continue;
      }
      // Shifting the flag out leaves the length, unsigned.
      this.#length = ((this.#length << 8) | chunk[at]!) >>> 0;
      at += 1;
      this.#prefixBytes += 1;
      if (this.#prefixBytes < PREFIX_BYTES) continue;
      this.#prefixBytes = 0;
      this.#left = this.#length;
      if (this.#left === 0) this.count += 1;
    }
  }
}
