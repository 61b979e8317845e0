// The text of /stats: `name: value`, counters and gauges before histograms, both sorted by name.
import { bucketLower, bucketUpper, DEFAULT_BOUNDS } from "./histogram-buckets.ts";
import { countUpTo, quantile, QUANTILES } from "./histogram-counts.ts";
import type { HistogramCounts } from "./histogram-counts.ts";
import type { HistogramIntervals } from "./histogram-intervals.ts";
import { selectSeries } from "./stats-query.ts";
import type { HistogramForm, StatsQuery } from "./stats-query.ts";
import type { StatsReader } from "./stats-reader.ts";

export function renderStatsText(reader: StatsReader, intervals: HistogramIntervals, query: StatsQuery): string {
  const values: string[] = [];
  const histograms: string[] = [];
  for (const series of selectSeries(reader, query)) {
    if (series.kind !== "histogram") values.push(`${series.name}: ${reader.value(series)}\n`);
    else histograms.push(`${series.name}:${histogramText(query.histograms, intervals.of(series), reader.readHistogram(series))}\n`);
  }
  return values.join("") + histograms.join("");
}

function histogramText(form: HistogramForm, interval: HistogramCounts, total: HistogramCounts): string {
  if (total.count === 0) return " No recorded values";
  switch (form) {
    case "summary":
      return ` ${summary(interval, total)}`;
    case "cumulative":
      return bounds((counts, index) => countUpTo(counts, DEFAULT_BOUNDS[index]!), interval, total);
    case "disjoint":
      return bounds(countInBound, interval, total);
    case "detailed":
      return `\n  totals=${ranges(total)}\n  intervals=${ranges(interval)}\n  summary=${summary(interval, total)}`;
  }
}

/** `P50(interval,cumulative)`; `nan` where the interval is empty. */
function summary(interval: HistogramCounts, total: HistogramCounts): string {
  return QUANTILES.map((percent) => `P${percent}(${short(quantile(interval, percent))},${short(quantile(total, percent))})`).join(" ");
}

function bounds(count: (counts: HistogramCounts, index: number) => number, interval: HistogramCounts, total: HistogramCounts): string {
  return DEFAULT_BOUNDS.map((bound, index) => ` B${bound}(${count(interval, index)},${count(total, index)})`).join("");
}

/** Count between the default bound before `index` and that one. */
export function countInBound(counts: HistogramCounts, index: number): number {
  return countUpTo(counts, DEFAULT_BOUNDS[index]!) - (index === 0 ? 0 : countUpTo(counts, DEFAULT_BOUNDS[index - 1]!));
}

function ranges(counts: HistogramCounts): string {
  return bucketRanges(counts)
    .map(({ lower, width, count }) => `${short(lower)},${short(width)}:${count}`)
    .join(", ");
}

/** Every bucket that holds something. */
export function bucketRanges({ buckets }: HistogramCounts): { lower: number; width: number; count: number }[] {
  const result: { lower: number; width: number; count: number }[] = [];
  for (let at = 0; at < buckets.length; at += 2) {
    const lower = bucketLower(buckets[at]!);
    result.push({ lower, width: bucketUpper(buckets[at]!) - lower, count: buckets[at + 1]! });
  }
  return result;
}

/** Six significant digits, as C's %g prints: what a bucket's width allows. */
function short(value: number): string {
  return Number.isNaN(value) ? "nan" : String(Number(value.toPrecision(6)));
}
