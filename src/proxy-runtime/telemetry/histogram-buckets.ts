// Log-linear buckets: 16 in every power of two, so a quantile is off by at most 1/32 of its value. A histogram's slots
// are: count, sum, then one per bucket.

const SUB_BUCKETS = 16;
// Smallest value told apart from zero: 2^-5 (31 µs as milliseconds). Largest: 2^32 (49 days as ms, 4 GB as bytes).
const MIN_EXPONENT = -5;
const MAX_EXPONENT = 32;
export const BUCKETS = 1 + (MAX_EXPONENT - MIN_EXPONENT) * SUB_BUCKETS;
export const HISTOGRAM_SLOTS = 2 + BUCKETS;

const MIN_VALUE = 2 ** MIN_EXPONENT;
const MAX_VALUE = 2 ** MAX_EXPONENT;

/** Index of the bucket that a value falls into: 0 holds everything below 2^-5. */
export function bucketIndex(value: number): number {
  if (!(value >= MIN_VALUE)) return 0;
  if (value >= MAX_VALUE) return BUCKETS - 1;
  const scaled = value / MIN_VALUE;
  const exponent = 31 - Math.clz32(scaled >= 4294967296 ? 4294967295 : scaled);
  const high = scaled >= 4294967296 ? Math.floor(Math.log2(scaled)) : exponent;
  return 1 + high * SUB_BUCKETS + Math.floor((scaled / 2 ** high - 1) * SUB_BUCKETS);
}

/** Lower bound of a bucket, in the histogram's unit. */
export function bucketLower(index: number): number {
  if (index === 0) return 0;
  const exponent = Math.floor((index - 1) / SUB_BUCKETS);
  const step = (index - 1) % SUB_BUCKETS;
  return MIN_VALUE * 2 ** exponent * (1 + step / SUB_BUCKETS);
}

/** Upper bound (not included) of a bucket. */
export function bucketUpper(index: number): number {
  return index >= BUCKETS - 1 ? MAX_VALUE : bucketLower(index + 1);
}
