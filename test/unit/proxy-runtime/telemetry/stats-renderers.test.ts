import assert from "node:assert/strict";
import { test } from "node:test";
import { HistogramIntervals } from "../../../../src/proxy-runtime/telemetry/histogram-intervals.ts";
import { renderStatsJson } from "../../../../src/proxy-runtime/telemetry/stats-json.ts";
import { renderPrometheus } from "../../../../src/proxy-runtime/telemetry/stats-prometheus.ts";
import { parseStatsQuery } from "../../../../src/proxy-runtime/telemetry/stats-query.ts";
import type { StatsQuery } from "../../../../src/proxy-runtime/telemetry/stats-query.ts";
import { StatsStore } from "../../../../src/proxy-runtime/telemetry/stats-store.ts";
import { renderStatsText } from "../../../../src/proxy-runtime/telemetry/stats-text.ts";
import { parsePrometheus } from "../../../support/prometheus-text.ts";

function query(text = ""): StatsQuery {
  const result = parseStatsQuery(new URLSearchParams(text));
  assert.ok(result.ok, result.ok ? "" : result.problems[0]!.message);
  return result.value;
}

function filled() {
  const store = new StatsStore();
  const cluster = store.scope("cluster.", "outbound|80||web", "envoy_cluster_", "envoy_cluster_name");
  cluster.counter("upstream_rq_total").add(5);
  cluster.counter("upstream_rq_200", { name: "upstream_rq", tags: [["envoy_response_code", "200"]] }).add(4);
  cluster.counter("upstream_rq_503", { name: "upstream_rq", tags: [["envoy_response_code", "503"]] }).inc();
  cluster.counter("upstream_cx_overflow");
  cluster.gauge("upstream_cx_active").set(2);
  const time = cluster.histogram("upstream_rq_time", "ms");
  cluster.histogram("upstream_cx_length_ms", "ms");
  store.counter("istiocustom.istio_requests_total.a.b", "istio_requests_total", [["a", 'q"\\\n']]).add(7);
  return { store, time, intervals: new HistogramIntervals(store) };
}

test("the text lists counters and gauges by name, then histograms", () => {
  const { store, time, intervals } = filled();
  time.record(10);
  assert.equal(
    renderStatsText(store, intervals, query()),
    `cluster.outbound|80||web.upstream_cx_active: 2
cluster.outbound|80||web.upstream_cx_overflow: 0
cluster.outbound|80||web.upstream_rq_200: 4
cluster.outbound|80||web.upstream_rq_503: 1
cluster.outbound|80||web.upstream_rq_total: 5
istiocustom.istio_requests_total.a.b: 7
cluster.outbound|80||web.upstream_cx_length_ms: No recorded values
cluster.outbound|80||web.upstream_rq_time: P0(nan,9.5) P25(nan,9.625) P50(nan,9.75) P75(nan,9.875) P90(nan,9.95) P95(nan,9.975) P99(nan,9.995) P99.5(nan,9.9975) P99.9(nan,9.9995) P100(nan,10)
`,
  );
});

test("usedonly, filter and type select; a filter matches any part of the name", () => {
  const { store, intervals } = filled();
  const names = (text: string) =>
    renderStatsText(store, intervals, query(text))
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replace(/^cluster\.outbound\|80\|\|web\./, "").replace(/:.*/, ""));
  assert.deepEqual(names("filter=rq_\\d%2B"), ["upstream_rq_200", "upstream_rq_503"]);
  assert.deepEqual(names("usedonly&filter=upstream_cx"), ["upstream_cx_active"]);
  assert.deepEqual(names("type=Histograms"), ["upstream_cx_length_ms", "upstream_rq_time"]);
  assert.deepEqual(names("type=Gauges"), ["upstream_cx_active"]);
  assert.deepEqual(names("type=TextReadouts"), []);
});

test("a wrong parameter is answered with what is allowed", () => {
  for (const [text, message] of [
    ["type=Nope", /usage: \/stats\?type=\(All\|Counters\|Gauges\|Histograms\|TextReadouts\)/],
    ["type=constructor", /usage/],
    ["format=xml", /usage: \/stats\?format=\(text\|json\|prometheus\)/],
    ["histogram_buckets=x", /usage: \/stats\?histogram_buckets=/],
    ["filter=(", /Invalid re2 regex: /],
  ] as const) {
    const result = parseStatsQuery(new URLSearchParams(text));
    assert.ok(!result.ok, text);
    assert.match(result.problems[0]!.message, message);
  }
});

test("intervals hold what came between the last two flushes", () => {
  const { store, time, intervals } = filled();
  const only = query("filter=upstream_rq_time&histogram_buckets=cumulative");
  const line = () => renderStatsText(store, intervals, only);
  for (let n = 0; n < 3; n++) time.record(40);
  assert.match(line(), / B25\(0,0\) B50\(0,3\) /);
  intervals.flush();
  time.record(2);
  assert.match(line(), / B5\(0,1\) B10\(0,1\) B25\(0,1\) B50\(3,4\) /);
  intervals.flush();
  assert.match(line(), / B1\(0,0\) B5\(1,1\) .* B50\(1,4\) /);
  intervals.flush();
  assert.match(line(), / B50\(0,4\) /);
});

test("disjoint and detailed buckets add up to all values", () => {
  const { store, time, intervals } = filled();
  for (const value of [0.2, 250, 250.1, 3_600_000]) time.record(value);
  const text = (form: string) => renderStatsText(store, intervals, query(`filter=rq_time&histogram_buckets=${form}`));
  assert.match(text("disjoint"), / B0.5\(0,1\) B1\(0,0\) .* B250\(0,1\) B500\(0,1\) .* B3600000\(0,1\)\n$/);
  assert.match(
    text("detailed"),
    /upstream_rq_time:\n  totals=0\.195313,0\.0078125:1, 248,2:1, 250,6:1, 3538940,61056:1\n  intervals=\n  summary=P0\(nan,/,
  );
});

test("the JSON has Envoy's shapes", () => {
  const { store, time, intervals } = filled();
  time.record(10);
  const json = JSON.parse(renderStatsJson(store, intervals, query("format=json&usedonly&filter=rq_t")));
  assert.deepEqual(json.stats[0], { name: "cluster.outbound|80||web.upstream_rq_total", value: 5 });
  const { supported_quantiles, computed_quantiles } = json.stats[1].histograms;
  assert.deepEqual(supported_quantiles, [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]);
  assert.equal(computed_quantiles[0].name, "cluster.outbound|80||web.upstream_rq_time");
  assert.deepEqual(computed_quantiles[0].values[2], { cumulative: 9.75, interval: null });
  const buckets = JSON.parse(renderStatsJson(store, intervals, query("format=json&filter=rq_time&histogram_buckets=disjoint")));
  assert.deepEqual(buckets.stats[0].histograms[0].buckets[3], { upper_bound: 10, interval: 0, cumulative: 1 });
});

test("the Prometheus text has one group per name, tags extracted, values escaped and exact bounds", () => {
  const { store, time } = filled();
  for (const value of [1, 10, 250, 1000, 4e6]) time.record(value);
  const text = renderPrometheus(store, query());
  const metrics = parsePrometheus(text);
  assert.ok(
    text.startsWith(
      `# TYPE envoy_cluster_upstream_cx_overflow counter
envoy_cluster_upstream_cx_overflow{envoy_cluster_name="outbound|80||web"} 0

# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="outbound|80||web"} 4
envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="outbound|80||web"} 1

`,
    ),
    text,
  );
  assert.deepEqual(
    [...metrics].map(([name, { type }]) => `${name} ${type}`),
    [
      "envoy_cluster_upstream_cx_overflow counter",
      "envoy_cluster_upstream_rq counter",
      "envoy_cluster_upstream_rq_total counter",
      "istio_requests_total counter",
      "envoy_cluster_upstream_cx_active gauge",
      "envoy_cluster_upstream_cx_length_ms histogram",
      "envoy_cluster_upstream_rq_time histogram",
    ],
  );
  assert.deepEqual(metrics.get("istio_requests_total")!.samples[0]!.labels, { a: 'q"\\\n' });
  const samples = metrics.get("envoy_cluster_upstream_rq_time")!.samples;
  const at = (le: string) => samples.find(({ labels }) => labels["le"] === le)!.value;
  assert.deepEqual(
    [at("0.5"), at("1"), at("5"), at("10"), at("100"), at("250"), at("500"), at("1000"), at("3600000"), at("+Inf")],
    [0, 1, 1, 2, 2, 3, 3, 4, 4, 5],
  );
  assert.equal(samples.find(({ name }) => name.endsWith("_sum"))!.value, 4001261);
});
