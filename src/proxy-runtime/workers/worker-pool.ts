// The data half as several worker threads that share their ports by SO_REUSEPORT. Each has pools, circuit breakers and
// load balancers of its own, as Envoy's workers have pools; what is asked here is asked of all and made one answer.
import type { Clock } from "../../common/clock.ts";
import type { HostStatus, ListenerStatus, MemoryStatus } from "../admin/data-plane-view.ts";
import { EMPTY_PROXY_CONFIG, type ProxyConfig } from "../config/proxy-config.ts";
import type { StatsStore } from "../telemetry/stats-store.ts";
import type { StatsReader } from "../telemetry/stats-reader.ts";
import type { WorkloadFacts } from "../telemetry/workload-facts.ts";
import type { DataHalf, DrainOrder, ListenFailure } from "./data-half.ts";
import { mergeFailures, mergeHosts, mergeListeners, mergeMemory } from "./merge-status.ts";
import { StandardOutput } from "./standard-output.ts";
import { SummedStats } from "./summed-stats.ts";
import type { AnswerTo, ListenerPorts, LogFields, LogLevel, WorkerCalls, WorkerMethod } from "./worker-calls.ts";
import { WorkerPlace } from "./worker-place.ts";

/** A worker that is busy for longer is left out of an answer: admin never waits for one that hangs. */
const ANSWER_MS = 2000;

export interface WorkerPoolOptions {
  readonly count: number;
  /** The worker's module. */
  readonly entry: URL;
  readonly workload: WorkloadFacts;
  readonly clock: Clock;
  /** What the main thread itself counts, and what workers that died have counted. */
  readonly stats: StatsStore;
  readonly onLog: (level: LogLevel, message: string, fields: LogFields) => void;
}

export class WorkerPool implements DataHalf {
  readonly stats: StatsReader;
  readonly #clock: Clock;
  readonly #places: readonly WorkerPlace[];
  #config: ProxyConfig = EMPTY_PROXY_CONFIG;
  #ports: ListenerPorts = new Map();
  readonly #drains: DrainOrder[] = [];

  constructor({ count, entry, workload, clock, stats, onLog }: WorkerPoolOptions) {
    this.#clock = clock;
    const restarts = stats.plainScope("server").counter("worker_restarts");
    const output = new StandardOutput();
    const summed = new SummedStats(stats, async (method) => void (await this.#ask(method)));
    this.stats = summed;
    this.#places = Array.from(
      { length: count },
      (_, index) =>
        new WorkerPlace({
          entry,
          worker: { index, count },
          workload,
          clock,
          stats: summed,
          output,
          wanted: () => ({ config: this.#config, ports: this.#ports, drains: this.#drains }),
          onLog,
          onRestart: () => restarts.inc(),
        }),
    );
  }

  async apply(config: ProxyConfig): Promise<readonly ListenFailure[]> {
    this.#config = config;
    const [first, ...others] = this.#places;
    const failures: (readonly ListenFailure[])[] = [];
    let rest = this.#places;
    if (choosesPorts(config)) {
      // The system chooses for the first; the others take the same.
      const applied = await first!.apply();
      this.#ports = applied.ports;
      failures.push(applied.failures);
      rest = others;
    }
    const answers = await Promise.all(rest.map((place) => place.apply()));
    return mergeFailures([...failures, ...answers.map((each) => each.failures)]);
  }

  async hosts(): Promise<ReadonlyMap<string, readonly HostStatus[]>> {
    return mergeHosts(answered(await this.#ask("hosts")));
  }

  async listeners(): Promise<readonly ListenerStatus[]> {
    return mergeListeners(answered(await this.#ask("listeners")));
  }

  async activeConnections(): Promise<number> {
    const living = this.#places.filter((place) => place.isAlive).length;
    const counts = answered(await this.#ask("activeConnections"));
    // One that does not answer is at work.
    return counts.reduce((sum, each) => sum + each, Math.max(0, living - counts.length));
  }

  async memory(): Promise<MemoryStatus> {
    return mergeMemory(process.memoryUsage(), answered(await this.#ask("memory")));
  }

  async drain(order: DrainOrder): Promise<void> {
    this.#drains.push(order);
    await this.#ask("drain", order);
  }

  async reopenLogs(): Promise<void> {
    await this.#ask("reopenLogs");
  }

  async stop(): Promise<void> {
    await Promise.all(this.#places.map((each) => each.stop((place) => this.#within(place.call("stop")))));
  }

  /** Asks every worker; undefined for one that does not answer. */
  #ask<M extends WorkerMethod>(
    method: M,
    ...args: Parameters<WorkerCalls[M]>
  ): Promise<readonly ({ readonly value: AnswerTo<M> } | undefined)[]> {
    return Promise.all(this.#places.map((place) => this.#within(place.call(method, ...args))));
  }

  #within<T>(answer: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(ANSWER_MS, () => resolve(undefined));
      void answer.then(resolve, reject).finally(cancel);
    });
  }
}

function answered<T>(answers: readonly ({ readonly value: T } | undefined)[]): T[] {
  return answers.flatMap((each) => (each === undefined ? [] : [each.value]));
}

function choosesPorts({ listeners }: ProxyConfig): boolean {
  return [...listeners.values()].some(({ address, additionalAddresses }) =>
    [address, ...additionalAddresses].some(({ port }) => port === 0),
  );
}
