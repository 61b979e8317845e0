// The JSON of /stats?format=json: values in one list, histograms in one object at its end.
import { DEFAULT_BOUNDS } from "./histogram-buckets.ts";
import { countUpTo, quantile, QUANTILES } from "./histogram-counts.ts";
import type { HistogramCounts } from "./histogram-counts.ts";
import type { HistogramIntervals } from "./histogram-intervals.ts";
import { selectSeries } from "./stats-query.ts";
import type { StatsQuery } from "./stats-query.ts";
import type { StatsReader } from "./stats-reader.ts";
import { bucketRanges, countInBound } from "./stats-text.ts";

interface NamedHistogram {
  readonly name: string;
  readonly interval: HistogramCounts;
  readonly total: HistogramCounts;
}

export function renderStatsJson(reader: StatsReader, intervals: HistogramIntervals, query: StatsQuery): string {
  const stats: unknown[] = [];
  const histograms: NamedHistogram[] = [];
  for (const series of selectSeries(reader, query)) {
    if (series.kind !== "histogram") stats.push({ name: series.name, value: reader.value(series) });
    else histograms.push({ name: series.name, interval: intervals.of(series), total: reader.readHistogram(series) });
  }
  if (histograms.length > 0) stats.push({ histograms: histogramsJson(query, histograms) });
  return JSON.stringify({ stats });
}

function histogramsJson(query: StatsQuery, all: readonly NamedHistogram[]): unknown {
  switch (query.histograms) {
    case "summary":
      return {
        supported_quantiles: QUANTILES,
        computed_quantiles: all.map(({ name, interval, total }) => ({ name, values: quantilesJson(interval, total) })),
      };
    case "detailed":
      return {
        supported_percentiles: QUANTILES,
        details: all.map(({ name, interval, total }) => ({
          name,
          totals: rangesJson(total),
          intervals: rangesJson(interval),
          percentiles: quantilesJson(interval, total),
        })),
      };
    case "cumulative":
      return all.map((each) => ({
        name: each.name,
        buckets: bucketsJson(each, (counts, index) => countUpTo(counts, DEFAULT_BOUNDS[index]!)),
      }));
    case "disjoint":
      return all.map((each) => ({ name: each.name, buckets: bucketsJson(each, countInBound) }));
  }
}

function quantilesJson(interval: HistogramCounts, total: HistogramCounts): unknown {
  return QUANTILES.map((percent) => ({ cumulative: orNull(quantile(total, percent)), interval: orNull(quantile(interval, percent)) }));
}

function rangesJson(counts: HistogramCounts): unknown {
  return bucketRanges(counts).map(({ lower, width, count }) => ({ lower_bound: lower, width, count }));
}

function bucketsJson({ interval, total }: NamedHistogram, count: (counts: HistogramCounts, index: number) => number): unknown {
  return DEFAULT_BOUNDS.map((bound, index) => ({ upper_bound: bound, interval: count(interval, index), cumulative: count(total, index) }));
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
