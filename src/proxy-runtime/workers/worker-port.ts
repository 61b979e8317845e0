// A worker's end of the line to the main thread: answers its calls, and tells it of new series, log lines, and blocks for
// standard output.
import type { MessagePort } from "node:worker_threads";
import { UserError } from "../../common/user-error.ts";
import type { PageSeries } from "../telemetry/stats-store.ts";
import type { FromWorker, LogFields, LogLevel, ToWorker, WorkerCalls } from "./worker-calls.ts";

export class WorkerPort {
  readonly #port: MessagePort;
  #series: PageSeries[] = [];
  readonly #writes = new Map<number, (failed: boolean) => void>();
  #lastWrite = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Begins to take calls. */
  serve(calls: WorkerCalls): void {
    this.#port.on("message", (message: ToWorker) => {
      if (message.kind === "call") void this.#answer(calls, message);
      else {
        const done = this.#writes.get(message.id);
        this.#writes.delete(message.id);
        done?.(message.failed);
      }
    });
  }

  /** Series are told together, at the end of the callback that made them. */
  tellSeries(series: PageSeries): void {
    if (this.#series.length === 0) queueMicrotask(() => this.#postSeries());
    this.#series.push(series);
  }

  log(level: LogLevel, message: string, fields: LogFields): void {
    this.#post({ kind: "log", level, message, fields });
  }

  /** Has the main thread write whole lines, for workers that wrote to one pipe themselves would mix theirs. */
  write(fd: number, block: Uint8Array, done: (failed: boolean) => void): void {
    const id = (this.#lastWrite += 1);
    this.#writes.set(id, done);
    this.#post({ kind: "write", id, fd, block });
  }

  async #answer(calls: WorkerCalls, { id, method, args }: ToWorker & { kind: "call" }): Promise<void> {
    try {
      const value = await (calls as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>)[method]!(...args);
      this.#postSeries();
      this.#post({ kind: "answer", id, value });
    } catch (error) {
      const isUserError = error instanceof UserError;
      const message = error instanceof Error ? error.message : String(error);
      this.#post({ kind: "failed", id, error: { isUserError, message, hint: isUserError ? error.hint : undefined } });
    }
  }

  #postSeries(): void {
    if (this.#series.length === 0) return;
    const series = this.#series;
    this.#series = [];
    this.#post({ kind: "series", series });
  }

  #post(message: FromWorker): void {
    this.#port.postMessage(message);
  }
}
