// Which ids a peer has given to its streams (RFC 9113 §5.1.1): they only grow, and what it passes over is closed unopened.

export class PeerStreamIds {
  /** The highest. */
  last = 0;
  // Passed over when the last gap was made; the error is the same for older ones but for its code.
  #skippedFrom = 0;
  #skippedTo = 0;

  /** The peer opens a stream whose id is above the last. */
  open(id: number): void {
    if (id > this.last + 2) {
      this.#skippedFrom = this.last + 1;
      this.#skippedTo = id - 1;
    }
    this.last = id;
  }

  wasSkipped(id: number): boolean {
    return id >= this.#skippedFrom && id <= this.#skippedTo;
  }
}
