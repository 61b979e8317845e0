// One of the pool's places: there is a worker in it, or there will be one soon. One that dies is followed by another with
// the current configuration; the counts that it left are kept.
import { Backoff } from "../../common/backoff.ts";
import type { Clock } from "../../common/clock.ts";
import { EMPTY_PROXY_CONFIG, type ProxyConfig } from "../config/proxy-config.ts";
import type { WorkerNumber } from "../listener/listener.ts";
import type { WorkloadFacts } from "../telemetry/workload-facts.ts";
import { configChange } from "./config-change.ts";
import type { DrainOrder } from "./data-half.ts";
import type { StandardOutput } from "./standard-output.ts";
import type { SummedStats } from "./summed-stats.ts";
import type { AnswerTo, Applied, ListenerPorts, LogFields, LogLevel, WorkerCalls, WorkerMethod } from "./worker-calls.ts";
import { WorkerThread } from "./worker-thread.ts";

const RESTART_INITIAL_MS = 100;
const RESTART_MAX_MS = 10_000;
/** One that has lived as long did not die of its start. */
const SETTLED_MS = 60_000;

/** What all workers shall be; the pool's, and read when it is needed. */
export interface Wanted {
  readonly config: ProxyConfig;
  readonly ports: ListenerPorts;
  readonly drains: readonly DrainOrder[];
}

export interface PlaceOptions {
  readonly entry: URL;
  readonly worker: WorkerNumber;
  readonly workload: WorkloadFacts;
  readonly clock: Clock;
  readonly stats: SummedStats;
  readonly output: StandardOutput;
  readonly wanted: () => Wanted;
  readonly onLog: (level: LogLevel, message: string, fields: LogFields) => void;
  readonly onRestart: () => void;
}

export class WorkerPlace {
  readonly #options: PlaceOptions;
  readonly #backoff = new Backoff({ initialMs: RESTART_INITIAL_MS, maxMs: RESTART_MAX_MS });
  #thread: WorkerThread | undefined;
  /** The next thread; undefined: there will be none. */
  #next = Promise.withResolvers<WorkerThread | undefined>();
  /** What the thread has been told. */
  #told: ProxyConfig = EMPTY_PROXY_CONFIG;
  #isStopped = false;
  #cancelRestart: () => void = () => undefined;

  constructor(options: PlaceOptions) {
    this.#options = options;
    this.#start();
  }

  /** Resolves when a worker has the configuration that is wanted, be it one that is yet to start, or the place is stopped. */
  async apply(): Promise<Applied> {
    for (;;) {
      const thread = this.#thread ?? (await this.#next.promise);
      if (thread === undefined) return { failures: [], ports: new Map() };
      const { config, ports } = this.#options.wanted();
      const change = configChange(this.#told, config);
      this.#told = config;
      const answer = await thread.call("apply", change, ports);
      if (answer !== undefined) return answer.value;
    }
  }

  /** undefined: there is no worker, or it ended without an answer. */
  async call<M extends WorkerMethod>(method: M, ...args: Parameters<WorkerCalls[M]>): Promise<{ readonly value: AnswerTo<M> } | undefined> {
    return this.#thread?.call(method, ...args);
  }

  get isAlive(): boolean {
    return this.#thread !== undefined;
  }

  /** @param askFirst waits at most as long for the worker to close its logs. */
  async stop(askFirst: (place: WorkerPlace) => Promise<unknown>): Promise<void> {
    this.#isStopped = true;
    this.#cancelRestart();
    if (this.#thread === undefined) this.#next.resolve(undefined);
    await askFirst(this);
    await this.#thread?.terminate();
  }

  #start(): void {
    const { entry, worker, workload, clock, stats, output, onLog } = this.#options;
    const startedAt = clock.now();
    const thread: WorkerThread = new WorkerThread(
      entry,
      { worker, workload },
      {
        onSeries: (series) => counts.learn(series),
        onLog,
        onWrite: (fd, block, done) => output.write(fd, block, done),
        onEnd: (error) => {
          counts.retire();
          this.#thread = undefined;
          this.#told = EMPTY_PROXY_CONFIG;
          this.#next = Promise.withResolvers();
          if (this.#isStopped) this.#next.resolve(undefined);
          else this.#restart(error, clock.now() - startedAt);
        },
      },
    );
    const counts = stats.addPage(thread.page);
    this.#thread = thread;
    this.#next.resolve(thread);
  }

  #restart(error: Error | undefined, livedMs: number): void {
    const { clock, worker, onLog, onRestart } = this.#options;
    if (livedMs >= SETTLED_MS) this.#backoff.reset();
    const delayMs = Math.round(this.#backoff.next());
    onLog("error", "a worker died and is started again", { worker: worker.index, inMs: delayMs, reason: error?.stack ?? "it exited" });
    onRestart();
    this.#cancelRestart = clock.after(delayMs, () => {
      this.#start();
      void this.#resume();
    });
  }

  async #resume(): Promise<void> {
    const { wanted, onLog, worker } = this.#options;
    try {
      const { failures } = await this.apply();
      for (const { listener, code } of failures)
        onLog("error", "a listener of a restarted worker can't be bound", { worker: worker.index, listener, code });
      for (const order of wanted().drains) await this.call("drain", order);
    } catch (error) {
      onLog("error", "a restarted worker can't apply its configuration", { worker: worker.index, reason: (error as Error).message });
    }
  }
}
