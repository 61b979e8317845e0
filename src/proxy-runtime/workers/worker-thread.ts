// The main thread's end of the line to one worker: calls it, and hears what it tells until it ends.
import { Worker } from "node:worker_threads";
import { UserError } from "../../common/user-error.ts";
import { makeStatsPage, type PageSeries } from "../telemetry/stats-store.ts";
import type {
  AnswerTo,
  CallError,
  FromWorker,
  LogFields,
  LogLevel,
  ToWorker,
  WorkerCalls,
  WorkerData,
  WorkerMethod,
} from "./worker-calls.ts";

export interface WorkerEvents {
  onSeries(series: readonly PageSeries[]): void;
  onLog(level: LogLevel, message: string, fields: LogFields): void;
  onWrite(fd: number, block: Uint8Array, done: (failed: boolean) => void): void;
  /** Once; `error` is what it threw. */
  onEnd(error: Error | undefined): void;
}

interface Pending {
  /** undefined: the worker ended first. */
  resolve(answer: { readonly value: unknown } | undefined): void;
  reject(error: Error): void;
}

export class WorkerThread {
  readonly page: SharedArrayBuffer = makeStatsPage();
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #pending = new Map<number, Pending>();
  #lastCall = 0;
  #hasEnded = false;

  /** @param entry the module that makes a WorkerPort of its parent's. */
  constructor(entry: URL, data: Omit<WorkerData, "page">, events: WorkerEvents) {
    this.#events = events;
    const workerData: WorkerData = { ...data, page: this.page };
    this.#worker = new Worker(entry, { workerData, name: `meshctl-${data.worker.index}` });
    let thrown: Error | undefined;
    this.#worker.on("message", (message: FromWorker) => this.#onMessage(message));
    this.#worker.on("error", (error) => (thrown = error instanceof Error ? error : new Error(String(error))));
    this.#worker.on("exit", () => {
      this.#hasEnded = true;
      for (const pending of this.#pending.values()) pending.resolve(undefined);
      this.#pending.clear();
      events.onEnd(thrown);
    });
  }

  /**
   * Resolves to undefined when the worker ends without an answer.
   * @throws what the call threw in the worker: a UserError as such.
   */
  call<M extends WorkerMethod>(method: M, ...args: Parameters<WorkerCalls[M]>): Promise<{ readonly value: AnswerTo<M> } | undefined> {
    if (this.#hasEnded) return Promise.resolve(undefined);
    const id = (this.#lastCall += 1);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending["resolve"], reject });
      this.#post({ kind: "call", id, method, args });
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #onMessage(message: FromWorker): void {
    switch (message.kind) {
      case "answer":
        return this.#take(message.id)?.resolve({ value: message.value });
      case "failed":
        return this.#take(message.id)?.reject(toError(message.error));
      case "series":
        return this.#events.onSeries(message.series);
      case "log":
        return this.#events.onLog(message.level, message.message, message.fields);
      case "write": {
        const { id, fd, block } = message;
        return this.#events.onWrite(fd, block, (failed) => this.#post({ kind: "written", id, failed }));
      }
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }
}

function toError({ isUserError, message, hint }: CallError): Error {
  return isUserError ? new UserError(message, hint) : new Error(message);
}
