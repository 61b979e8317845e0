// Reads a histogram out of the page, or out of the pages of several workers: its quantiles and its counts up to a bound.
// Only buckets that hold something are kept.
import { BUCKETS, bucketLower, bucketUpper } from "./histogram-buckets.ts";

/** What is in a histogram: [bucket, count, …], ascending, no zero counts. */
export interface HistogramCounts {
  readonly count: number;
  readonly sum: number;
  readonly buckets: readonly number[];
}

export const EMPTY_COUNTS: HistogramCounts = { count: 0, sum: 0, buckets: [] };

/** Quantiles that /stats prints, in percent. */
export const QUANTILES: readonly number[] = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100];

/** Where a histogram's slots begin in a page. */
export interface HistogramPlace {
  readonly page: Float64Array;
  readonly slot: number;
}

/** What is in all the places together. */
export function readHistogram(places: readonly HistogramPlace[]): HistogramCounts {
  const filled = places.filter(({ page, slot }) => page[slot] !== 0);
  if (filled.length === 0) return EMPTY_COUNTS;
  const buckets: number[] = [];
  let count = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    let held = 0;
    for (const { page, slot } of filled) held += page[slot + 2 + bucket]!;
    if (held === 0) continue;
    buckets.push(bucket, held);
    count += held;
  }
  // The sum of the buckets rather than of the count slots: a worker may be writing between the two.
  return { count, sum: filled.reduce((sum, { page, slot }) => sum + page[slot + 1]!, 0), buckets };
}

/** Value below which `percent` of the recorded values lie, interpolated in its bucket; NaN of an empty histogram. */
export function quantile({ count, buckets }: HistogramCounts, percent: number): number {
  if (count === 0) return NaN;
  const wanted = (percent / 100) * count;
  let below = 0;
  for (let at = 0; at < buckets.length; at += 2) {
    const bucket = buckets[at]!;
    const held = buckets[at + 1]!;
    // Bucket 0 is for what is too small to be told from nothing.
    if (wanted <= below + held) return bucket === 0 ? 0 : within(bucket, (wanted - below) / held);
    below += held;
  }
  return bucketUpper(buckets[buckets.length - 2]!);
}

function within(bucket: number, share: number): number {
  const lower = bucketLower(bucket);
  return lower + (bucketUpper(bucket) - lower) * share;
}

/** How many recorded values are at most `bound`; exact for DEFAULT_BOUNDS. */
export function countUpTo({ buckets }: HistogramCounts, bound: number): number {
  let total = 0;
  for (let at = 0; at < buckets.length && bucketUpper(buckets[at]!) <= bound; at += 2) total += buckets[at + 1]!;
  return total;
}

/** What came in between two readings. */
export function difference(now: HistogramCounts, before: HistogramCounts): HistogramCounts {
  const earlier = new Map<number, number>();
  for (let at = 0; at < before.buckets.length; at += 2) earlier.set(before.buckets[at]!, before.buckets[at + 1]!);
  const buckets: number[] = [];
  for (let at = 0; at < now.buckets.length; at += 2) {
    const bucket = now.buckets[at]!;
    const more = now.buckets[at + 1]! - (earlier.get(bucket) ?? 0);
    if (more > 0) buckets.push(bucket, more);
  }
  return { count: now.count - before.count, sum: now.sum - before.sum, buckets };
}
