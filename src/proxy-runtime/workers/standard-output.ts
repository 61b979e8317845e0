// Writes what workers hand in to standard output and error, one block after the other: two threads that write to one full
// pipe would cut into each other's lines.
import { writeWhole } from "../telemetry/access-log/write-whole.ts";

interface Block {
  readonly bytes: Uint8Array;
  readonly done: (failed: boolean) => void;
}

export class StandardOutput {
  readonly #waiting = new Map<number, Block[]>();

  /** @param done called when the kernel has all of it; a worker hands in nothing more before that. */
  write(fd: number, bytes: Uint8Array, done: (failed: boolean) => void): void {
    const waiting = this.#waiting.get(fd);
    if (waiting !== undefined) {
      waiting.push({ bytes, done });
      return;
    }
    this.#waiting.set(fd, []);
    this.#start(fd, { bytes, done });
  }

  #start(fd: number, { bytes, done }: Block): void {
    writeWhole(fd, bytes, (failed) => {
      done(failed);
      const next = this.#waiting.get(fd)!.shift();
      if (next === undefined) this.#waiting.delete(fd);
      else this.#start(fd, next);
    });
  }
}
