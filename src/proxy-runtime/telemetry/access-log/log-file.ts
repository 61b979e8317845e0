// One file, pipe or terminal that access log lines go to: gathered, written in order one block at a time, without ever
// holding up the data path. What a slow disk or reader leaves no room for is dropped and counted.
import { closeSync, openSync } from "node:fs";
import { UserError } from "../../../common/user-error.ts";
import type { Counter, Gauge, StatsStore } from "../stats-store.ts";
import { writeWhole, type WriteBlock } from "./write-whole.ts";

// Envoy's: a block is written when it is this large or a second old.
const BLOCK_BYTES = 64 * 1024;
const FLUSH_MS = 1000;
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
const CLOSE_MS = 1000;
const STANDARD: Readonly<Record<string, number>> = { "/dev/stdout": 1, "/dev/stderr": 2 };

/** Envoy's `filesystem.` stats, and one of our own for lines that were dropped. */
export class LogFileStats {
  readonly buffered: Counter;
  readonly completed: Counter;
  readonly failed: Counter;
  readonly dropped: Counter;
  readonly flushedByTimer: Counter;
  readonly reopenFailed: Counter;
  readonly totalBuffered: Gauge;

  constructor(store: StatsStore) {
    const scope = store.plainScope("filesystem");
    this.buffered = scope.counter("write_buffered");
    this.completed = scope.counter("write_completed");
    this.failed = scope.counter("write_failed");
    this.dropped = scope.counter("write_dropped");
    this.flushedByTimer = scope.counter("flushed_by_timer");
    this.reopenFailed = scope.counter("reopen_failed");
    this.totalBuffered = scope.gauge("write_total_buffered");
  }
}

export class LogFile {
  readonly #path: string;
  readonly #stats: LogFileStats;
  readonly #write: WriteBlock;
  #fd: number;
  #lines = "";
  /** A block is on its way to the kernel. */
  #isWriting = false;
  #timer: NodeJS.Timeout | undefined = undefined;
  #reopenWanted = false;
  #closed = false;
  #onDone: () => void = () => {};

  /**
   * @param writeStandard takes the blocks of standard output and error.
   * @throws UserError where the file can't be opened.
   */
  constructor(path: string, stats: LogFileStats, writeStandard: WriteBlock = writeWhole) {
    this.#path = path;
    this.#stats = stats;
    this.#write = STANDARD[path] === undefined ? writeWhole : writeStandard;
    // By number: /dev/stdout can't be opened where it is a socket.
    this.#fd = STANDARD[path] ?? openLog(path);
  }

  write(line: string): void {
    if (this.#closed || this.#lines.length + line.length > MAX_BUFFERED_BYTES) {
      this.#stats.dropped.inc();
      return;
    }
    this.#lines += line;
    this.#stats.buffered.inc();
    if (this.#isWriting) return;
    if (this.#lines.length >= BLOCK_BYTES) this.#start();
    else this.#timer ??= setTimeout(() => this.#onTimer(), FLUSH_MS).unref();
  }

  /** For log rotation: later blocks go to whatever the path names then. */
  reopen(): void {
    if (STANDARD[this.#path] !== undefined) return;
    this.#reopenWanted = true;
    if (!this.#isWriting) this.#reopenNow();
  }

  /** Writes what is left and closes; resolves when the kernel has it, or when a stuck reader has had its time. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    clearTimeout(this.#timer);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS);
      this.#onDone = () => {
        clearTimeout(timer);
        resolve();
      };
      if (!this.#isWriting) this.#next();
    });
  }

  #onTimer(): void {
    this.#timer = undefined;
    if (this.#isWriting || this.#lines === "") return;
    this.#stats.flushedByTimer.inc();
    this.#start();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const block = Buffer.from(this.#lines);
    this.#lines = "";
    this.#isWriting = true;
    this.#stats.totalBuffered.set(block.length);
    this.#write(this.#fd, block, (failed) => this.#finished(failed));
  }

  #finished(failed: boolean): void {
    (failed ? this.#stats.failed : this.#stats.completed).inc();
    this.#isWriting = false;
    this.#stats.totalBuffered.set(0);
    this.#next();
  }

  /** Nothing is being written: what now? */
  #next(): void {
    if (this.#reopenWanted) this.#reopenNow();
    if (this.#lines !== "" && (this.#closed || this.#lines.length >= BLOCK_BYTES)) return this.#start();
    if (this.#closed) {
      if (STANDARD[this.#path] === undefined) closeSync(this.#fd);
      this.#onDone();
    } else if (this.#lines !== "") this.#timer ??= setTimeout(() => this.#onTimer(), FLUSH_MS).unref();
  }

  #reopenNow(): void {
    this.#reopenWanted = false;
    try {
      const fresh = openLog(this.#path);
      closeSync(this.#fd);
      this.#fd = fresh;
    } catch {
      this.#stats.reopenFailed.inc();
    }
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, "a", 0o644);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UserError(
      `access log ${path}: can't be opened for writing (${reason})`,
      "name a file in a folder that exists and that the proxy's user may write to, or /dev/stdout",
    );
  }
}
