import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BUCKETS,
  bucketIndex,
  bucketLower,
  bucketUpper,
  DEFAULT_BOUNDS,
} from "../../../../src/proxy-runtime/telemetry/histogram-buckets.ts";

test("bounds rise without gaps and lie at most a sixteenth apart", () => {
  for (let index = 1; index < BUCKETS; index++) {
    assert.equal(bucketLower(index), bucketUpper(index - 1));
    assert.ok(bucketUpper(index) > bucketLower(index), `bucket ${index}`);
    assert.ok(bucketUpper(index) / bucketLower(index) <= 1 + 1 / 16 + 1e-12, `bucket ${index}`);
  }
  assert.equal(bucketUpper(BUCKETS - 1), 2 ** 32);
});

test("a value falls into the bucket whose bounds hold it", () => {
  let seed = 12345;
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  for (let round = 0; round < 200_000; round++) {
    const value = 2 ** (random() * 36.9 - 4.99);
    const index = bucketIndex(value);
    assert.ok(bucketLower(index) < value && value <= bucketUpper(index), `${value} in ${index}`);
  }
});

test("a value on a bound belongs to the bucket below it, its neighbours to their own side", () => {
  for (let index = 0; index < BUCKETS - 1; index++) {
    const bound = bucketUpper(index);
    assert.equal(bucketIndex(bound), index, `at ${bound}`);
    assert.equal(bucketIndex(bound * (1 + Number.EPSILON)), index + 1, `above ${bound}`);
    assert.equal(bucketIndex(bound * (1 - Number.EPSILON)), index, `below ${bound}`);
  }
});

test("every default bound of Envoy is a bound of some bucket", () => {
  for (const bound of DEFAULT_BOUNDS) assert.equal(bucketUpper(bucketIndex(bound)), bound);
});

test("what is too small, too large or no number goes to the ends", () => {
  for (const value of [0, -0, -1, NaN, -Infinity, 2 ** -5, Number.MIN_VALUE]) assert.equal(bucketIndex(value), 0);
  for (const value of [2 ** 32, 2 ** 32 + 1, 2 ** 60, Infinity]) assert.equal(bucketIndex(value), BUCKETS - 1);
});
