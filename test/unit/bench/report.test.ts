import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Figures } from "../../../bench/measure.ts";
import { median } from "../../../bench/measure.ts";
import { renderBars, renderTable, toJson } from "../../../bench/report.ts";

const figures = (rps: number): Figures => ({ rps, p50Ms: 0.41234, p99Ms: 2, rssAnonMb: 19.96, cpuUsPerRequest: 1e6 / rps });
const measurement = { scenario: "hop", connections: 32, subject: figures(40_000), peers: new Map([["haproxy", figures(50_000)]]) };

describe("the benchmark's report", () => {
  test("is written as JSON with the ratio to each peer", () => {
    assert.deepEqual(toJson(measurement), {
      scenario: "hop",
      connections: 32,
      subject: { rps: 40_000, p50Ms: 0.412, p99Ms: 2, rssAnonMb: 20 },
      peers: { haproxy: { rps: 50_000, p50Ms: 0.412, p99Ms: 2, rssAnonMb: 20 } },
      ratio: { haproxy: 0.8 },
    });
  });

  test("passes a bar that is reached and fails one that is not", () => {
    const lines = renderBars(measurement, [
      { peer: "haproxy", atLeast: 0.8 },
      { peer: "haproxy", atLeast: 0.81 },
    ]);
    assert.deepEqual(
      lines.map((line) => line.trim().slice(0, 4)),
      ["PASS", "FAIL"],
    );
  });

  test("shows how much faster and how much dearer the subject is", () => {
    const row = renderTable("meshctl", measurement).at(-1)!;
    assert.match(row, /haproxy\s+50000\s+0\.41\s+2\.00\s+20\.0\s+20\.0\s+0\.80\s+1\.25$/);
  });

  test("takes the middle run, or the mean of the middle two", () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 2, 100]), 3);
  });
});
