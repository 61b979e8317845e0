// Quantiles from cumulative buckets, as Prometheus' histogram_quantile computes them.

/**
 * @param buckets upper bound (Infinity for the last) → count of all values up to it.
 * @param quantile 0 to 1.
 * @returns the value, interpolated inside its bucket; undefined without any values. What lies beyond the last finite
 *   bound counts as that bound.
 */
export function histogramQuantile(buckets: ReadonlyMap<number, number>, quantile: number): number | undefined {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const rank = quantile * total;
  let lowerBound = 0;
  let lowerCount = 0;
  for (const [bound, count] of sorted) {
    if (count >= rank && count > lowerCount) {
      if (bound === Infinity) return lowerBound;
      return lowerBound + ((bound - lowerBound) * Math.max(rank - lowerCount, 0)) / (count - lowerCount);
    }
    lowerBound = bound === Infinity ? lowerBound : bound;
    lowerCount = count;
  }
  return lowerBound;
}
