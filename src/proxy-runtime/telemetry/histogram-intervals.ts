// What every histogram held in the last whole interval, beside what it holds since the start: /stats prints both.
import { difference, EMPTY_COUNTS, type HistogramCounts } from "./histogram-counts.ts";
import type { Series, StatsReader } from "./stats-reader.ts";

/** Remembers what every histogram held at the last two flushes. Envoy flushes every 5 s. */
export class HistogramIntervals {
  readonly #stats: StatsReader;
  readonly #last = new Map<Series, HistogramCounts>();
  readonly #interval = new Map<Series, HistogramCounts>();

  constructor(stats: StatsReader) {
    this.#stats = stats;
  }

  flush(): void {
    this.#interval.clear();
    for (const series of this.#stats.series()) {
      if (series.kind !== "histogram") continue;
      const last = this.#last.get(series) ?? EMPTY_COUNTS;
      if (this.#stats.value(series) === last.count) continue;
      const now = this.#stats.readHistogram(series);
      this.#interval.set(series, difference(now, last));
      this.#last.set(series, now);
    }
  }

  /** Of the last whole interval. */
  of(series: Series): HistogramCounts {
    return this.#interval.get(series) ?? EMPTY_COUNTS;
  }
}
