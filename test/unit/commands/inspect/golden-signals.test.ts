import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { parseConfigDump } from "../../../../src/commands/inspect/proxy-config/config-dump.ts";
import { goldenSignals } from "../../../../src/commands/inspect/traffic/golden-signals.ts";
import { growth, parseSamples } from "../../../../src/commands/inspect/traffic/prometheus-text.ts";

const golden = resolve(import.meta.dirname, "../../../golden/proxy-config");
const endpoints = parseConfigDump(readFileSync(resolve(golden, "istio-sidecar.json"), "utf8"), "dump").loadAssignments();
const clusters = parseConfigDump(readFileSync(resolve(golden, "clusters.json"), "utf8"), "clusters").clusterStatuses()!;

const PAYMENTS = `destination_service="payments.shop.svc.cluster.local",destination_service_name="payments",destination_service_namespace="shop"`;
const CHECKOUT = `destination_service="checkout.shop.svc.cluster.local",destination_service_name="checkout",destination_service_namespace="shop"`;
const OTHER = `destination_service="example.test",destination_service_name="PassthroughCluster",destination_service_namespace="unknown"`;

interface Counts {
  readonly ok: number;
  readonly failed: number;
  readonly fast: number;
}

function requests(reporter: string, service: string, { ok, failed, fast }: Counts): string {
  const labels = `reporter="${reporter}",${service}`;
  const all = ok + failed;
  return [
    `istio_requests_total{${labels},response_code="200",grpc_response_status="",response_flags="-"} ${ok}`,
    `istio_requests_total{${labels},response_code="503",grpc_response_status="",response_flags="UH"} ${failed}`,
    `istio_request_duration_milliseconds_bucket{${labels},le="1"} ${fast}`,
    `istio_request_duration_milliseconds_bucket{${labels},le="5"} ${all}`,
    `istio_request_duration_milliseconds_bucket{${labels},le="+Inf"} ${all}`,
    `istio_request_duration_milliseconds_sum{${labels}} 7`,
  ].join("\n");
}

const all = (): boolean => true;
const before = parseSamples(
  [
    "# TYPE istio_requests_total counter",
    requests("source", PAYMENTS, { ok: 100, failed: 10, fast: 100 }),
    requests("source", CHECKOUT, { ok: 5, failed: 0, fast: 5 }),
  ].join("\n"),
  all,
);
const after = parseSamples(
  [
    requests("source", PAYMENTS, { ok: 119, failed: 11, fast: 110 }),
    requests("source", CHECKOUT, { ok: 5, failed: 0, fast: 5 }),
    requests("destination", CHECKOUT, { ok: 40, failed: 0, fast: 40 }),
    requests("source", OTHER, { ok: 2, failed: 0, fast: 2 }),
    `envoy_listener_downstream_cx_active{envoy_listener_address="0.0.0.0_15006"} 3`,
    `envoy_listener_downstream_cx_active{envoy_listener_address="0.0.0.0_15001"} 9`,
  ].join("\n"),
  all,
);

describe("golden signals", () => {
  const rows = goldenSignals({ window: growth(before, after), now: after, windowSeconds: 10, clusters, endpoints });

  test("list inbound, then each service that was ever called", () => {
    assert.deepEqual(
      rows.map((row) => `${row.direction} ${row.service}`),
      ["inbound ", "outbound PassthroughCluster", "outbound checkout.shop", "outbound payments.shop"],
    );
  });

  test("count only what happened in the window", () => {
    const payments = rows[3]!;
    assert.equal(payments.requests, 20);
    assert.equal(payments.rps, 2);
    assert.equal(payments.success, 0.95);
    assert.equal(payments.latencyMs.p50, 1);
    assert.ok(Math.abs(payments.latencyMs.p95! - 4.6) < 1e-9);
  });

  test("leave out numbers where nothing happened", () => {
    const checkout = rows[2]!;
    assert.deepEqual([checkout.requests, checkout.rps, checkout.success, checkout.latencyMs.p99], [0, undefined, undefined, undefined]);
  });

  test("count a service's pods with a sidecar and open connections", () => {
    assert.deepEqual(rows[3]!.meshed, { pods: 2, total: 2 });
    assert.deepEqual(rows[2]!.meshed, { pods: 1, total: 2 });
    assert.equal(rows[1]!.meshed, undefined);
    assert.deepEqual(
      rows.map((row) => row.tcpConnections),
      [3, undefined, 2, 6],
    );
  });

  test("take a counter that fell for a restart", () => {
    const reset = growth(after, before);
    const payments = goldenSignals({ window: reset, now: before, windowSeconds: 10, clusters, endpoints }).find(
      (row) => row.service === "payments.shop",
    );
    assert.equal(payments?.requests, 110);
  });
});

test("a client that left is no failure, a missing answer and a failed gRPC call are", () => {
  const line = (code: string, grpc: string, flags: string, value: number): string =>
    `istio_requests_total{reporter="destination",response_code="${code}",grpc_response_status="${grpc}",response_flags="${flags}"} ${value}`;
  const samples = parseSamples(
    [line("0", "", "DC", 1), line("0", "", "UF", 2), line("200", "14", "-", 4), line("200", "5", "-", 8), line("404", "", "-", 16)].join(
      "\n",
    ),
    all,
  );
  const [inbound] = goldenSignals({ window: samples, now: samples, windowSeconds: 1, clusters: [], endpoints: [] });
  assert.equal(inbound!.requests, 31);
  assert.equal(Math.round(inbound!.success! * 31), 25);
});

test("a gRPC call fails by the statuses that Linkerd counts as failures", () => {
  const statuses = Array.from({ length: 17 }, (_, status) => status);
  const failures = statuses.filter((status) => {
    const line = `istio_requests_total{reporter="destination",response_code="200",grpc_response_status="${status}",response_flags="-"} 1`;
    const samples = parseSamples(line, all);
    return goldenSignals({ window: samples, now: samples, windowSeconds: 1, clusters: [], endpoints: [] })[0]!.success === 0;
  });
  assert.deepEqual(failures, [2, 4, 13, 14, 15]);
});

test("reads escaped label values and the forms of infinity", () => {
  const [sample, other] = parseSamples('a{x="q\\"\\\\\\n}, y"} +Inf\nb 1.5e3 1700000000\n', all);
  assert.deepEqual(sample!.labels, { x: 'q"\\\n}, y' });
  assert.equal(sample!.value, Infinity);
  assert.equal(other!.value, 1500);
});
