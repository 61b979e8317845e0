// Writes all of a block to a file, pipe or terminal without holding up the thread, however often the kernel takes a part.
import { write } from "node:fs";

const RETRY_MS = 20;

/** Hands a block to the kernel; `done` is called once. */
export type WriteBlock = (fd: number, block: Uint8Array, done: (failed: boolean) => void) => void;

export function writeWhole(fd: number, block: Uint8Array, done: (failed: boolean) => void): void {
  write(fd, block, (error, written) => {
    if (error?.code === "EAGAIN") setTimeout(() => writeWhole(fd, block, done), RETRY_MS).unref();
    else if (error === null && written < block.length) writeWhole(fd, block.subarray(written), done);
    else done(error !== null);
  });
}
