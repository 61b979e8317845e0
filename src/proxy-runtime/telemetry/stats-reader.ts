// What admin and scrapers see of the statistics: names and values, wherever they are counted. One worker's store is read
// as it is; of several workers the values are added up.
import type { HistogramCounts } from "./histogram-counts.ts";

export type SeriesKind = "counter" | "gauge" | "histogram";
export type Tags = readonly (readonly [string, string])[];

/**
 * How the values of several workers become one: added up, or, where each worker counts the same thing (a change of
 * configuration, the members of a cluster), the greatest.
 */
export type Across = "sum" | "max";

/** One named value. `name` is Envoy's dotted name, `promName` and `tags` what /stats/prometheus prints. */
export interface Series {
  readonly kind: SeriesKind;
  readonly name: string;
  readonly promName: string;
  readonly tags: Tags;
  /** Unit of a histogram's values. */
  readonly unit: "ms" | "bytes" | "none";
  readonly across: Across;
}

export interface StatsReader {
  /** Resolves when all that was counted before the call can be read. */
  settle(): Promise<void>;
  /** Every series in order of creation; one name is one object as long as the reader lives. */
  series(): Iterable<Series>;
  /** Of a histogram: how many values it holds. */
  value(series: Series): number;
  readHistogram(series: Series): HistogramCounts;
  resetCounters(): Promise<void>;
}
