// Streams that wait for room on their connection, each a piece at a time: nobody's large body starves the others.
import { MAX_DATA_BYTES } from "./frame-writer.ts";
import type { SessionStream } from "./session-seam.ts";

export class TurnQueue {
  readonly #hasRoom: () => boolean;
  #streams: SessionStream[] = [];
  #running = false;

  constructor(hasRoom: () => boolean) {
    this.#hasRoom = hasRoom;
  }

  add(stream: SessionStream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    this.#streams.push(stream);
  }

  /** Gives turns until there is no room or nobody can use one. */
  run(): void {
    if (this.#running || this.#streams.length === 0) return;
    this.#running = true;
    while (this.#streams.length > 0 && this.#hasRoom()) {
      const round = this.#streams;
      this.#streams = [];
      for (let index = 0; index < round.length; index += 1) {
        const stream = round[index]!;
        if (!this.#hasRoom()) {
          this.#streams.push(stream);
          continue;
        }
        stream.isQueued = false;
        // One whose own window is shut comes back with its WINDOW_UPDATE.
        if (stream.sendPiece(MAX_DATA_BYTES)) this.add(stream);
      }
    }
    this.#running = false;
  }
}
