// The statistics of several workers as one: the main thread's own store, and a page of each worker that only the worker
// writes to. Names come by message, values are read where they are.
import { readHistogram, type HistogramCounts, type HistogramPlace } from "../telemetry/histogram-counts.ts";
import type { Series, StatsReader } from "../telemetry/stats-reader.ts";
import type { PageSeries, StatsStore } from "../telemetry/stats-store.ts";

/** A worker's page, and where in it each name is. */
export class WorkerCounts {
  readonly page: Float64Array;
  readonly series = new Map<string, PageSeries>();
  readonly #owner: SummedStats;

  constructor(page: SharedArrayBuffer, owner: SummedStats) {
    this.page = new Float64Array(page);
    this.#owner = owner;
  }

  learn(all: readonly PageSeries[]): void {
    for (const each of all) this.series.set(each.name, each);
  }

  /** The worker has ended: what it counted stays counted. */
  retire(): void {
    this.#owner.retire(this);
  }
}

export class SummedStats implements StatsReader {
  readonly #own: StatsStore;
  readonly #workers = new Set<WorkerCounts>();
  readonly #askAll: (method: "settle" | "resetCounters") => Promise<void>;
  /** In order of appearance; these objects are what readers know a name by. */
  readonly #known = new Map<string, Series>();

  /** @param askAll resolves when every worker has answered. */
  constructor(own: StatsStore, askAll: (method: "settle" | "resetCounters") => Promise<void>) {
    this.#own = own;
    this.#askAll = askAll;
  }

  addPage(page: SharedArrayBuffer): WorkerCounts {
    const counts = new WorkerCounts(page, this);
    this.#workers.add(counts);
    return counts;
  }

  retire(counts: WorkerCounts): void {
    this.#workers.delete(counts);
    this.#own.absorb(counts.page, counts.series.values());
  }

  settle(): Promise<void> {
    return this.#askAll("settle");
  }

  series(): Iterable<Series> {
    this.#note(this.#own.series());
    for (const { series } of this.#workers) this.#note(series.values());
    return this.#known.values();
  }

  value(series: Series): number {
    const values = this.#places(series).map(({ page, slot }) => page[slot]!);
    return series.across === "max" ? Math.max(0, ...values) : values.reduce((sum, each) => sum + each, 0);
  }

  readHistogram(series: Series): HistogramCounts {
    return readHistogram(this.#places(series));
  }

  async resetCounters(): Promise<void> {
    await Promise.all([this.#own.resetCounters(), this.#askAll("resetCounters")]);
  }

  #note(all: Iterable<Series>): void {
    for (const each of all) if (!this.#known.has(each.name)) this.#known.set(each.name, each);
  }

  #places({ name }: Series): HistogramPlace[] {
    const places: HistogramPlace[] = [];
    const own = this.#own.find(name);
    if (own !== undefined) places.push({ page: this.#own.page, slot: own.slot });
    for (const { page, series } of this.#workers) {
      const found = series.get(name);
      if (found !== undefined) places.push({ page, slot: found.slot });
    }
    return places;
  }
}
