import assert from "node:assert/strict";
import { test } from "node:test";
import { HistogramIntervals } from "../../../../src/proxy-runtime/telemetry/histogram-intervals.ts";
import { renderStatsJson } from "../../../../src/proxy-runtime/telemetry/stats-json.ts";
import { renderPrometheus } from "../../../../src/proxy-runtime/telemetry/stats-prometheus.ts";
import { parseStatsQuery } from "../../../../src/proxy-runtime/telemetry/stats-query.ts";
import type { StatsReader } from "../../../../src/proxy-runtime/telemetry/stats-reader.ts";
import { makeStatsPage, StatsStore, type PageSeries } from "../../../../src/proxy-runtime/telemetry/stats-store.ts";
import { renderStatsText } from "../../../../src/proxy-runtime/telemetry/stats-text.ts";
import { SummedStats, type WorkerCounts } from "../../../../src/proxy-runtime/workers/summed-stats.ts";

interface Worker {
  readonly store: StatsStore;
  readonly counts: WorkerCounts;
}

function start(own = new StatsStore()): { own: StatsStore; summed: SummedStats; worker: () => Worker; asked: string[] } {
  const asked: string[] = [];
  const summed = new SummedStats(own, async (method) => void asked.push(method));
  const worker = (): Worker => {
    const page = makeStatsPage();
    const counts: WorkerCounts = summed.addPage(page);
    const store = new StatsStore(page, (series: PageSeries) => counts.learn([structuredClone(series)]));
    return { store, counts };
  };
  return { own, summed, worker, asked };
}

function render(reader: StatsReader, intervals: HistogramIntervals): string[] {
  const query = (text: string) => {
    const parsed = parseStatsQuery(new URLSearchParams(text));
    assert.ok(parsed.ok);
    return parsed.value;
  };
  return [
    renderStatsText(reader, intervals, query("")),
    renderStatsText(reader, intervals, query("usedonly&histogram_buckets=detailed")),
    renderStatsText(reader, intervals, query("filter=rq_")),
    renderStatsJson(reader, intervals, query("")),
    renderPrometheus(reader, query("")),
  ];
}

/** A share of what one proxy would have counted. */
function count(store: StatsStore, requests: readonly number[], open: number): void {
  const scope = store.scope("cluster.", "web", "envoy_cluster_", "envoy_cluster_name");
  scope.gauge("membership_total", "max").set(3);
  scope.counter("membership_change", undefined, "max").add(2);
  scope.gauge("upstream_cx_active").set(open);
  const total = scope.counter("upstream_rq_total");
  const time = scope.histogram("upstream_rq_time", "ms");
  for (const ms of requests) {
    total.inc();
    time.record(ms);
  }
}

test("two workers read like one that has counted everything", () => {
  const alone = new StatsStore();
  const aloneIntervals = new HistogramIntervals(alone);
  count(alone, [1, 5, 700, 2], 5);
  alone.plainScope("dns").counter("questions").inc();
  aloneIntervals.flush();

  const { own, summed, worker } = start();
  const intervals = new HistogramIntervals(summed);
  const [first, second] = [worker(), worker()];
  // Names come in another order, and some only in one of them.
  first.store.counter("meshctl.other", "meshctl_other", []);
  alone.counter("meshctl.other", "meshctl_other", []);
  count(second.store, [700, 2], 4);
  count(first.store, [1, 5], 1);
  own.plainScope("dns").counter("questions").inc();
  intervals.flush();
  assert.deepEqual(render(summed, intervals), render(alone, aloneIntervals));

  count(alone, [9], 5);
  count(first.store, [9], 1);
  aloneIntervals.flush();
  intervals.flush();
  // What each counts alike has grown in one of them only.
  const scope = second.store.scope("cluster.", "web", "envoy_cluster_", "envoy_cluster_name");
  scope.counter("membership_change", undefined, "max").add(2);
  assert.deepEqual(render(summed, intervals), render(alone, aloneIntervals));
});

test("what a worker counted outlives it, what it had open does not", () => {
  const { summed, worker } = start();
  const [first, second] = [worker(), worker()];
  count(first.store, [1, 5], 2);
  count(second.store, [700], 3);
  first.counts.retire();
  const next = worker();
  count(next.store, [8], 1);
  const value = (name: string): number => summed.value([...summed.series()].find((each) => each.name === `cluster.web.${name}`)!);
  assert.equal(value("upstream_rq_total"), 4);
  assert.equal(value("upstream_cx_active"), 4);
  assert.equal(value("membership_total"), 3);
  assert.equal(value("membership_change"), 2);
  const time = summed.readHistogram([...summed.series()].find((each) => each.kind === "histogram")!);
  assert.deepEqual([time.count, time.sum], [4, 714]);
});

test("a name that only a worker that has ended knew is still listed", () => {
  const { summed, worker } = start();
  const { store, counts } = worker();
  store.counter("c", "envoy_c", []).add(7);
  store.gauge("g", "envoy_g", []).set(7);
  assert.deepEqual(
    [...summed.series()].map((each) => [each.name, summed.value(each)]),
    [
      ["c", 7],
      ["g", 7],
    ],
  );
  counts.retire();
  assert.deepEqual(
    [...summed.series()].map((each) => [each.name, summed.value(each)]),
    [
      ["c", 7],
      ["g", 0],
    ],
  );
});

test("counters are reset where they are counted", async () => {
  const { own, summed, asked } = start();
  const counter = own.counter("c", "envoy_c", []);
  counter.add(3);
  await summed.resetCounters();
  assert.equal(counter.value, 0);
  assert.deepEqual(asked, ["resetCounters"]);
  await summed.settle();
  assert.deepEqual(asked, ["resetCounters", "settle"]);
});
