import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REQUESTS } from "../../../bench/load/load.ts";
import type { Figures } from "../../../bench/measure.ts";
import { median } from "../../../bench/measure.ts";
import type { Measurement } from "../../../bench/report.ts";
import { judge, renderTable, toJson } from "../../../bench/report.ts";

const figures = (perSecond: number, p50Ms = 0.41234): Figures => ({
  perSecond,
  latency: { p50Ms, p90Ms: 1, p99Ms: 2 },
  processes: [
    { rssAnonMb: 19.96, cpuUs: 15e5 / perSecond },
    { rssAnonMb: 9, cpuUs: 5e5 / perSecond },
  ],
  coreShare: 0.987,
});
const measurement: Measurement = {
  scenario: "mesh",
  load: "",
  unit: REQUESTS,
  connections: 32,
  subjectName: "meshctl",
  subject: figures(40_000),
  peers: new Map([["haproxy", figures(50_000, 0.35)]]),
};

describe("the benchmark's report", () => {
  test("is written as JSON with the ratio to each peer and what became of the bars", () => {
    const json = toJson(measurement, [{ peer: "haproxy", atLeast: 0.8 }]);
    assert.deepEqual(json.subject, {
      perSecond: 40_000,
      p50Ms: 0.412,
      p90Ms: 1,
      p99Ms: 2,
      processes: [
        { rssAnonMb: 20, cpuUs: 37.5 },
        { rssAnonMb: 9, cpuUs: 12.5 },
      ],
      coreShare: 0.99,
    });
    assert.deepEqual(json.ratio, { haproxy: 0.8 });
    assert.deepEqual(
      json.verdicts.map((each) => each.isReached),
      [true],
    );
  });

  test("passes a ratio that is reached and fails one that is not", () => {
    const verdicts = judge(measurement, [
      { peer: "haproxy", atLeast: 0.8 },
      { peer: "haproxy", atLeast: 0.81 },
    ]);
    assert.deepEqual(
      verdicts.map((each) => each.isReached),
      [true, false],
    );
    assert.match(verdicts[1]!.text, /mesh, 32 connections: 0\.80 x haproxy, at least 0\.81 wanted/);
  });

  test("judges latencies by how far they lie above the peer's", () => {
    const verdicts = judge(measurement, [{ peer: "haproxy", atMostMore: { p50Ms: 0.05, p99Ms: 0.2 } }]);
    assert.deepEqual(
      verdicts.map((each) => each.isReached),
      [false, true],
    );
    assert.match(verdicts[0]!.text, /p50 0\.062 ms above haproxy, at most 0\.05 wanted/);
  });

  test("holds a bar only at the numbers of connections that it names, and only where the peer was measured", () => {
    const bars = [
      { peer: "haproxy", at: [8], atLeast: 1 },
      { peer: "nginx", atLeast: 1 },
      { peer: "haproxy", at: [8, 32], atLeast: 0.5 },
    ];
    assert.equal(judge(measurement, bars).length, 1);
  });

  test("shows how much faster and how much dearer the subject is, each process by itself", () => {
    const row = renderTable(measurement).at(-1)!;
    assert.match(row, /haproxy\s+50000\s+0\.80\s+0\.35\s+1\.00\s+2\.00\s+30\.0 \+ 10\.0\s+1\.25\s+99 %\s+20\.0 \+ 9\.0$/);
  });

  test("takes the middle run, or the mean of the middle two", () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 2, 100]), 3);
  });
});
