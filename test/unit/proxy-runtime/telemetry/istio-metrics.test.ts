import assert from "node:assert/strict";
import { test } from "node:test";
import { Causes } from "../../../../src/proxy-runtime/failure/causes.ts";
import { IstioMetrics } from "../../../../src/proxy-runtime/telemetry/istio-metrics.ts";
import { StatsStore } from "../../../../src/proxy-runtime/telemetry/stats-store.ts";
import { StreamInfo } from "../../../../src/proxy-runtime/telemetry/stream-info.ts";
import type { ConnectionInfo } from "../../../../src/proxy-runtime/telemetry/stream-info.ts";
import { parseWorkload, workloadLookup } from "../../../../src/proxy-runtime/telemetry/workload-facts.ts";
import type { WorkloadFacts } from "../../../../src/proxy-runtime/telemetry/workload-facts.ts";

const FRONTEND = "spiffe://cluster.local/ns/shop/sa/frontend";
const CHECKOUT = "spiffe://cluster.local/ns/shop/sa/checkout";
const OWN: WorkloadFacts = { ...parseWorkload("frontend;shop;frontend;v7;Kubernetes"), principal: FRONTEND };
const SERVICE = { host: "checkout.shop.svc.cluster.local", name: "checkout", namespace: "shop" };

function connection(fields: Partial<ConnectionInfo> = {}): ConnectionInfo {
  const none: ConnectionInfo = {
    id: 1,
    remoteAddress: "10.0.0.9:5000",
    localAddress: "10.0.0.1:80",
    tlsVersion: "",
    peer: undefined,
    localUri: "",
    serverName: "",
  };
  return { ...none, ...fields };
}

function stream(fields: Partial<StreamInfo> = {}, from: ConnectionInfo = connection()): StreamInfo {
  const info = new StreamInfo(from, 1000);
  return Object.assign(info, { endedAt: 1007, responseCode: 200, clusterName: "outbound|80||checkout.shop.svc.cluster.local", ...fields });
}

/** `name{labels} value` of every counter, and of every histogram its count. */
function lines(store: StatsStore): string[] {
  return [...store.series()]
    .filter((each) => each.promName.startsWith("istio_"))
    .map(({ promName, tags, slot }) => `${promName}{${tags.map(([k, v]) => `${k}="${v}"`).join(",")}} ${store.page[slot]}`);
}

function labels(store: StatsStore, metric: string): Record<string, string>[] {
  return [...store.series()]
    .filter((each) => each.promName === metric)
    .map((each) => Object.fromEntries(each.tags) as Record<string, string>);
}

test("a client's sidecar reports a request with Istio's labels in Istio's order", () => {
  const store = new StatsStore();
  const metrics = new IstioMetrics(store, "source", OWN);
  const info = stream({
    upstreamPeerUri: CHECKOUT,
    upstreamWorkload: "checkout;shop;checkout;v1;Kubernetes",
    bytesReceived: 10,
    bytesSent: 300,
  });
  metrics.record(info, SERVICE);
  metrics.record(info, { ...SERVICE });
  assert.equal(
    lines(store)[0],
    'istio_requests_total{reporter="source",source_workload="frontend",source_canonical_service="frontend",source_canonical_revision="v7",' +
      'source_workload_namespace="shop",source_principal="spiffe://cluster.local/ns/shop/sa/frontend",source_app="frontend",source_version="v7",' +
      'source_cluster="Kubernetes",destination_workload="checkout",destination_workload_namespace="shop",' +
      'destination_principal="spiffe://cluster.local/ns/shop/sa/checkout",destination_app="checkout",destination_version="v1",' +
      'destination_service="checkout.shop.svc.cluster.local",destination_canonical_service="checkout",destination_canonical_revision="v1",' +
      'destination_service_name="checkout",destination_service_namespace="shop",destination_cluster="Kubernetes",request_protocol="http",' +
      'response_code="200",grpc_response_status="",response_flags="-",connection_security_policy="unknown"} 2',
  );
  assert.deepEqual(
    lines(store).map((line) => line.replace(/\{.*\}/, "")),
    ["istio_requests_total 2", "istio_request_duration_milliseconds 2", "istio_request_bytes 2", "istio_response_bytes 2"],
  );
  const sums = [...store.series()].filter((each) => each.kind === "histogram").map((each) => store.page[each.slot + 1]);
  assert.deepEqual(sums, [14, 20, 600]);
});

test("a server's sidecar takes the client from its certificate, and its names from its address", () => {
  const store = new StatsStore();
  const endpoints = new Map();
  const metrics = new IstioMetrics(store, "destination", OWN, { lookupWorkload: workloadLookup(() => endpoints) });
  const mtls = connection({ peer: { uri: CHECKOUT, subject: "", dns: [], hash: "" }, localUri: FRONTEND });
  metrics.record(stream({ clusterName: "inbound|80||" }, mtls), undefined);
  const [first] = labels(store, "istio_requests_total");
  assert.equal(first!["source_principal"], CHECKOUT);
  assert.equal(first!["source_workload"], "unknown");
  assert.equal(first!["source_workload_namespace"], "shop");
  assert.equal(first!["destination_principal"], FRONTEND);
  assert.equal(first!["destination_workload"], "frontend");
  assert.equal(first!["connection_security_policy"], "mutual_tls");

  const endpoint = { address: "10.0.0.9", workload: "checkout;shop;checkout;v2;Kubernetes" };
  const known = new IstioMetrics(store, "destination", OWN, {
    lookupWorkload: workloadLookup(() => new Map([["x", { localities: [{ endpoints: [endpoint] }] } as never]])),
  });
  known.record(stream({ clusterName: "inbound|80||" }, mtls), undefined);
  assert.equal(labels(store, "istio_requests_total")[1]!["source_workload"], "checkout");
  assert.equal(labels(store, "istio_requests_total")[1]!["source_version"], "v2");
});

test("plaintext clients are unknown and their connection has no security", () => {
  const store = new StatsStore();
  new IstioMetrics(store, "destination", OWN).record(
    stream({ clusterName: "InboundPassthroughClusterIpv4", authority: "evil" }),
    undefined,
  );
  const [set] = labels(store, "istio_requests_total");
  assert.equal(set!["connection_security_policy"], "none");
  assert.equal(set!["source_principal"], "unknown");
  assert.equal(set!["source_canonical_revision"], "latest");
  assert.equal(set!["destination_principal"], "unknown");
  assert.equal(set!["destination_service"], "unknown");
  assert.equal(set!["destination_service_name"], "InboundPassthroughCluster");
  assert.equal(set!["destination_service_namespace"], "shop");
});

test("status, gRPC status and response flag make label sets of their own", () => {
  const store = new StatsStore();
  const metrics = new IstioMetrics(store, "source", OWN);
  metrics.record(stream(), SERVICE);
  metrics.record(stream({ responseCode: 503, cause: Causes.connectFailure }), SERVICE);
  metrics.record(stream({ responseCode: 503 }), SERVICE);
  metrics.record(stream({ grpcStatus: 0 }), SERVICE);
  metrics.record(stream({ grpcStatus: 14 }), SERVICE);
  metrics.record(stream({ responseCode: 0, cause: Causes.downstreamDisconnect }), SERVICE);
  assert.deepEqual(
    labels(store, "istio_requests_total").map((set) => [
      set["response_code"],
      set["response_flags"],
      set["request_protocol"],
      set["grpc_response_status"],
    ]),
    [
      ["200", "-", "http", ""],
      ["503", "UF", "http", ""],
      ["503", "-", "http", ""],
      ["200", "-", "grpc", "0"],
      ["200", "-", "grpc", "14"],
      ["0", "DC", "http", ""],
    ],
  );
});

test("messages of gRPC calls are counted while a call goes on, without a status, and then with the one that it ends with", () => {
  const store = new StatsStore();
  const metrics = new IstioMetrics(store, "source", OWN);
  metrics.recordMessages(stream({ requestMessages: 3, responseMessages: 40 }), SERVICE);
  metrics.recordMessages(stream({ requestMessages: 0, responseMessages: 2 }), SERVICE);
  metrics.record(stream({ requestMessages: 1, responseMessages: 0, grpcStatus: 0 }), SERVICE);
  metrics.record(stream(), SERVICE);
  const counted = [...store.series()]
    .filter((each) => each.promName.endsWith("_messages_total"))
    .map((each) => [
      each.promName,
      ...["request_protocol", "grpc_response_status"].map((name) => new Map(each.tags).get(name)),
      store.page[each.slot],
    ]);
  assert.deepEqual(counted, [
    ["istio_request_messages_total", "grpc", "", 3],
    ["istio_response_messages_total", "grpc", "", 42],
    ["istio_request_messages_total", "grpc", "0", 1],
    ["istio_response_messages_total", "grpc", "0", 0],
  ]);
});

test("a cluster that comes to stand for another service is not counted under the old one", () => {
  const store = new StatsStore();
  const metrics = new IstioMetrics(store, "source", OWN);
  metrics.record(stream({ clusterName: "c" }), SERVICE);
  metrics.record(stream({ clusterName: "c" }), { ...SERVICE, host: "other.shop.svc.cluster.local" });
  assert.deepEqual(
    labels(store, "istio_requests_total").map((set) => set["destination_service"]),
    [SERVICE.host, "other.shop.svc.cluster.local"],
  );
});

test("what passes through is named after the Host header, for a bounded number of hosts", () => {
  const store = new StatsStore();
  const metrics = new IstioMetrics(store, "source", OWN);
  for (let n = 0; n < 1000; n++) metrics.record(stream({ clusterName: "PassthroughCluster", authority: `Host${n}.example` }), undefined);
  const sets = labels(store, "istio_requests_total");
  assert.equal(sets.length, 201);
  assert.deepEqual([sets[0]!["destination_service"], sets[0]!["destination_service_name"]], ["host0.example", "PassthroughCluster"]);
  assert.equal(sets[200]!["destination_service"], "unknown");
});

test("past the limit requests and connections are counted as unknown, and a counter says so", () => {
  const store = new StatsStore();
  const metrics = new IstioMetrics(store, "source", OWN, { maxLabelSets: 3 });
  for (let n = 0; n < 10; n++)
    metrics.record(stream({ clusterName: `c${n}`, upstreamWorkload: `w${n};shop` }), { ...SERVICE, host: `h${n}` });
  for (let n = 0; n < 10; n++) metrics.openTcp(stream({ clusterName: `t${n}` }), { ...SERVICE, host: `t${n}` }).closed(undefined);
  assert.equal(labels(store, "istio_requests_total").length, 4);
  assert.equal(labels(store, "istio_tcp_connections_opened_total").length, 1);
  const rest = labels(store, "istio_requests_total")[3]!;
  assert.deepEqual([rest["source_workload"], rest["destination_service"], rest["response_code"]], ["frontend", "unknown", "unknown"]);
  assert.equal(
    lines(store)
      .find((line) => line.includes('response_code="unknown"') && line.startsWith("istio_requests_total"))!
      .endsWith(" 7"),
    true,
  );
  assert.ok(store.page[store.find("istio_metrics.source.overflow")!.slot]! >= 7);
});

test("a TCP connection is counted when it opens, bytes as they pass, and its end with the flag", () => {
  const store = new StatsStore();
  const metrics = new IstioMetrics(store, "source", OWN);
  const meter = metrics.openTcp(stream(), SERVICE);
  meter.add(5, 50);
  meter.add(1, 10);
  meter.closed(Causes.connectFailure);
  const seen = lines(store).map((line) => [line.replace(/\{.*\}/, ""), /response_flags="([^"]*)"/.exec(line)![1]]);
  assert.deepEqual(
    seen.filter(([line]) => !line!.endsWith(" 0")),
    [
      ["istio_tcp_connections_opened_total 1", "-"],
      ["istio_tcp_sent_bytes_total 60", "-"],
      ["istio_tcp_received_bytes_total 6", "-"],
      ["istio_tcp_connections_closed_total 1", "UF"],
    ],
  );
  assert.ok(lines(store)[0]!.includes('request_protocol="tcp",response_flags="-",connection_security_policy="unknown"}'));
});
