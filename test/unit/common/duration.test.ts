import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDurationMs } from "../../../src/common/duration.ts";

for (const [text, expected] of [
  ["1.5s", 1500],
  ["100ms", 100],
  ["1h30m", 5_400_000],
  ["0", 0],
  ["0s", 0],
  ["250us", 0.25],
  ["1m0.5s", 60_500],
  ["5", undefined],
  ["", undefined],
  ["-1s", undefined],
  ["1 s", undefined],
  ["1d", undefined],
  ["s", undefined],
] as const) {
  test(`reads ${JSON.stringify(text)} as ${expected === undefined ? "no duration" : `${expected} ms`}`, () => {
    assert.equal(parseDurationMs(text), expected);
  });
}
