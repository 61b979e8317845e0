// A container's log: its stdout and stderr go straight into a file, which is cut when it grows too large.
import { closeSync, existsSync, ftruncateSync, openSync, readSync, renameSync, statSync, writeSync } from "node:fs";

const LIMIT_BYTES = 8 << 20;
const KEPT_BYTES = 4 << 20;

export class ContainerLog {
  readonly path: string;
  readonly previousPath: string;

  constructor(path: string) {
    this.path = path;
    this.previousPath = `${path}.previous`;
  }

  /** Begins a new run's log; the one before is kept as the previous. The caller closes the descriptor. */
  open(): number {
    if (existsSync(this.path)) renameSync(this.path, this.previousPath);
    return openSync(this.path, "a", 0o600);
  }

  /** Adds a line of the mesh's own, about the container. */
  note(line: string): void {
    const fd = openSync(this.path, "a", 0o600);
    writeSync(fd, `${line}\n`);
    closeSync(fd);
  }

  /** Drops the oldest lines of a large file. The writers append, so they go on at the new end; a line written meanwhile may be lost. */
  trim(): void {
    if (!existsSync(this.path) || statSync(this.path).size <= LIMIT_BYTES) return;
    const fd = openSync(this.path, "r+");
    const kept = Buffer.alloc(KEPT_BYTES);
    const length = readSync(fd, kept, 0, KEPT_BYTES, statSync(this.path).size - KEPT_BYTES);
    ftruncateSync(fd, 0);
    writeSync(fd, kept.subarray(kept.indexOf(10) + 1, length), 0, null, 0);
    closeSync(fd);
  }

  /** The last lines, without the final newline; empty where there is no log. */
  tail(lines: number): string[] {
    for (const path of [this.path, this.previousPath]) {
      if (!existsSync(path) || statSync(path).size === 0) continue;
      const size = statSync(path).size;
      const fd = openSync(path, "r");
      const bytes = Buffer.alloc(Math.min(size, 64 << 10));
      readSync(fd, bytes, 0, bytes.length, size - bytes.length);
      closeSync(fd);
      return bytes.toString("utf8").trimEnd().split("\n").slice(-lines);
    }
    return [];
  }
}
