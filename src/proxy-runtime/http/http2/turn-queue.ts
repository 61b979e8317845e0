// Streams that wait for room on their connection, each a piece at a time: nobody's large body starves the others.
import { MAX_DATA_BYTES } from "./frame-writer.ts";
import type { SessionStream } from "./session-seam.ts";

// So many places of streams that have had their turn, or are closed, are left behind before the rest moves up.
const MIN_SPENT = 32;

export class TurnQueue {
  readonly #hasRoom: () => boolean;
  #streams: SessionStream[] = [];
  /** Who is next. */
  #next = 0;
  /** Closed streams among those that wait. */
  #closed = 0;
  #running = false;

  constructor(hasRoom: () => boolean) {
    this.#hasRoom = hasRoom;
  }

  add(stream: SessionStream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    this.#streams.push(stream);
  }

  /** A stream that waits has closed. Many of them may, while there is no room: they are let go. */
  onClosed(): void {
    this.#closed += 1;
    if (this.#closed >= MIN_SPENT && 2 * this.#closed > this.#streams.length - this.#next && !this.#running) {
      this.#streams = this.#streams.slice(this.#next).filter((stream) => !stream.closed);
      this.#next = this.#closed = 0;
    }
  }

  /** Gives turns until there is no room or nobody can use one. Who was not last goes first the next time. */
  run(): void {
    if (this.#running) return;
    this.#running = true;
    while (this.#next < this.#streams.length && this.#hasRoom()) {
      const stream = this.#streams[this.#next]!;
      this.#next += 1;
      stream.isQueued = false;
      if (stream.closed) this.#closed -= 1;
      // One whose own window is shut comes back with its WINDOW_UPDATE.
      else if (stream.sendPiece(MAX_DATA_BYTES)) this.add(stream);
      if (this.#next >= MIN_SPENT && 2 * this.#next > this.#streams.length) this.#moveUp();
    }
    this.#running = false;
    if (this.#next === this.#streams.length && this.#next > 0) this.#moveUp();
  }

  #moveUp(): void {
    this.#streams.splice(0, this.#next);
    this.#next = 0;
  }
}
