import assert from "node:assert/strict";
import { test } from "node:test";
import { histogramQuantile } from "../../../../src/commands/inspect/traffic/histogram-quantile.ts";

const CASES: readonly (readonly [
  title: string,
  buckets: readonly (readonly [number, number])[],
  quantile: number,
  expected: number | undefined,
])[] = [
  [
    "nothing has no quantile",
    [
      [1, 0],
      [Infinity, 0],
    ],
    0.5,
    undefined,
  ],
  ["no buckets have no quantile", [], 0.5, undefined],
  [
    "interpolates from zero in the first bucket",
    [
      [10, 4],
      [Infinity, 4],
    ],
    0.5,
    5,
  ],
  [
    "interpolates inside a bucket",
    [
      [10, 0],
      [20, 10],
      [Infinity, 10],
    ],
    0.25,
    12.5,
  ],
  [
    "skips empty buckets",
    [
      [1, 5],
      [5, 5],
      [10, 10],
      [Infinity, 10],
    ],
    0.99,
    9.9,
  ],
  [
    "ends at the last finite bound",
    [
      [1, 0],
      [5, 0],
      [Infinity, 3],
    ],
    0.5,
    5,
  ],
  [
    "takes buckets in any order",
    [
      [Infinity, 10],
      [20, 10],
      [10, 0],
    ],
    0.5,
    15,
  ],
  [
    "gives the upper bound for the whole",
    [
      [1, 2],
      [2, 4],
      [Infinity, 4],
    ],
    1,
    2,
  ],
];
for (const [title, buckets, quantile, expected] of CASES) {
  test(title, () => assert.equal(histogramQuantile(new Map(buckets), quantile), expected));
}
