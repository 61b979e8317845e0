import assert from "node:assert/strict";
import { test } from "node:test";
import { HISTOGRAM_SLOTS } from "../../../../src/proxy-runtime/telemetry/histogram-buckets.ts";
import { StatsStore } from "../../../../src/proxy-runtime/telemetry/stats-store.ts";

test("the same name yields the same slot, whoever asks", () => {
  const store = new StatsStore();
  store.counter("a", "envoy_a", []).add(2);
  store.counter("a", "envoy_a", []).inc();
  assert.equal(store.counter("a", "envoy_a", []).value, 3);
  assert.equal([...store.series()].length, 1);
});

test("a name can't be two kinds", () => {
  const store = new StatsStore();
  store.counter("a", "envoy_a", []);
  assert.throws(() => store.histogram("a", "envoy_a", [], "ms"), /a is a counter, not a histogram/);
});

test("series past the end of the page are unlisted and never write into others", () => {
  const store = new StatsStore(new SharedArrayBuffer((HISTOGRAM_SLOTS * 2 + 3) * 8));
  const counter = store.counter("first", "envoy_first", []);
  const kept = store.histogram("kept", "envoy_kept", [], "ms");
  const last = store.counter("last", "envoy_last", []);
  const lostHistogram = store.histogram("lost.histogram", "envoy_lost_histogram", [], "ms");
  const lostCounter = store.counter("lost.counter", "envoy_lost_counter", []);
  kept.record(5);
  const before = Float64Array.from(store.page.subarray(1, HISTOGRAM_SLOTS + 3));
  lostHistogram.record(2 ** 40);
  lostHistogram.record(0);
  lostCounter.add(7);
  assert.deepEqual(Float64Array.from(store.page.subarray(1, HISTOGRAM_SLOTS + 3)), before);
  assert.equal(counter.value, 0);
  assert.equal(last.value, 0);
  assert.equal(store.unlisted, 2);
  assert.deepEqual(
    [...store.series()].map((each) => each.name),
    ["first", "kept", "last"],
  );
});

test("scopes name series as Envoy does, dotted and for Prometheus", () => {
  const store = new StatsStore();
  const scope = store.scope("listener.", "127.0.0.1:80", "envoy_listener_", "envoy_listener_address");
  scope.counter("downstream_cx_total");
  store
    .scope("cluster.", "x", "envoy_cluster_", "envoy_cluster_name")
    .counter("upstream_rq_200", { name: "upstream_rq", tags: [["envoy_response_code", "200"]] });
  store.plainScope("cluster_manager.cds").counter("update_success");
  assert.deepEqual(
    [...store.series()].map(({ name, promName, tags }) => ({ name, promName, tags })),
    [
      {
        name: "listener.127.0.0.1_80.downstream_cx_total",
        promName: "envoy_listener_downstream_cx_total",
        tags: [["envoy_listener_address", "127.0.0.1:80"]],
      },
      {
        name: "cluster.x.upstream_rq_200",
        promName: "envoy_cluster_upstream_rq",
        tags: [
          ["envoy_response_code", "200"],
          ["envoy_cluster_name", "x"],
        ],
      },
      { name: "cluster_manager.cds.update_success", promName: "envoy_cluster_manager_cds_update_success", tags: [] },
    ],
  );
});

test("a histogram's sum stays a number whatever is recorded", () => {
  const store = new StatsStore();
  const histogram = store.histogram("h", "envoy_h", [], "ms");
  for (const value of [NaN, -5, 3, 4]) histogram.record(value);
  const { slot } = store.find("h")!;
  assert.equal(store.page[slot], 4);
  assert.equal(store.page[slot + 1], 7);
});
