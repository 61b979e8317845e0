// The label sets of Istio's standard metrics, in Istio's order, and the series that one label set has.
import type { Counter, Histogram, StatsStore } from "./stats-store.ts";
import type { WorkloadFacts } from "./workload-facts.ts";

export type Reporter = "source" | "destination";
export type Labels = readonly (readonly [string, string])[];

/** What a cluster says about the Service behind it; `host` is the full name. */
export interface ServiceFacts {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

/** The labels that all metrics share, up to and without request_protocol. */
export function peerLabels(reporter: Reporter, source: WorkloadFacts, destination: WorkloadFacts, service: ServiceFacts): Labels {
  return [
    ["reporter", reporter],
    ["source_workload", source.name],
    ["source_canonical_service", source.canonicalName],
    ["source_canonical_revision", source.canonicalRevision],
    ["source_workload_namespace", source.namespace],
    ["source_principal", source.principal],
    ["source_app", source.app],
    ["source_version", source.version],
    ["source_cluster", source.cluster],
    ["destination_workload", destination.name],
    ["destination_workload_namespace", destination.namespace],
    ["destination_principal", destination.principal],
    ["destination_app", destination.app],
    ["destination_version", destination.version],
    ["destination_service", service.host],
    ["destination_canonical_service", destination.canonicalName],
    ["destination_canonical_revision", destination.canonicalRevision],
    ["destination_service_name", service.name],
    ["destination_service_namespace", service.namespace],
    ["destination_cluster", destination.cluster],
  ];
}

/** How one request ended, as the labels after peerLabels tell it. */
export interface HttpOutcome {
  readonly responseCode: string;
  /** undefined: not gRPC. */
  readonly grpcStatus: number | undefined;
  readonly flag: string;
  readonly security: string;
}

/** Messages of gRPC calls, by direction. */
export interface MessageSeries {
  readonly requests: Counter;
  readonly responses: Counter;
}

export interface HttpSeries {
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
  /** Of gRPC calls only. */
  readonly messages: MessageSeries | undefined;
}

export interface TcpSeries {
  readonly opened: Counter;
  readonly closed: Counter;
  readonly sentBytes: Counter;
  readonly receivedBytes: Counter;
}

export function httpSeries(store: StatsStore, peers: Labels, outcome: HttpOutcome): HttpSeries {
  const isGrpc = outcome.grpcStatus !== undefined;
  const labels = outcomeLabels(peers, isGrpc ? "grpc" : "http", outcome);
  const suffix = dotted(labels);
  const histogram = (name: string, unit: "ms" | "bytes") => store.histogram(`istiocustom.${name}${suffix}`, name, labels, unit);
  return {
    requests: store.counter(`istiocustom.istio_requests_total${suffix}`, "istio_requests_total", labels),
    duration: histogram("istio_request_duration_milliseconds", "ms"),
    requestBytes: histogram("istio_request_bytes", "bytes"),
    responseBytes: histogram("istio_response_bytes", "bytes"),
    messages: isGrpc ? messageSeries(store, labels) : undefined,
  };
}

/** Of calls that go on: they have no status yet. */
export function runningMessages(store: StatsStore, peers: Labels, responseCode: string, security: string): MessageSeries {
  return messageSeries(store, outcomeLabels(peers, "grpc", { responseCode, grpcStatus: undefined, flag: "-", security }));
}

function messageSeries(store: StatsStore, labels: Labels): MessageSeries {
  const suffix = dotted(labels);
  const counter = (name: string) => store.counter(`istiocustom.${name}${suffix}`, name, labels);
  return { requests: counter("istio_request_messages_total"), responses: counter("istio_response_messages_total") };
}

function outcomeLabels(peers: Labels, protocol: string, { responseCode, grpcStatus, flag, security }: HttpOutcome): Labels {
  return [
    ...peers,
    ["request_protocol", protocol],
    ["response_code", responseCode],
    ["grpc_response_status", grpcStatus === undefined ? "" : String(grpcStatus)],
    ["response_flags", flag],
    ["connection_security_policy", security],
  ];
}

export function tcpSeries(store: StatsStore, peers: Labels, flag: string, security: string): TcpSeries {
  const labels: Labels = [...peers, ["request_protocol", "tcp"], ["response_flags", flag], ["connection_security_policy", security]];
  const suffix = dotted(labels);
  const counter = (name: string) => store.counter(`istiocustom.${name}${suffix}`, name, labels);
  return {
    opened: counter("istio_tcp_connections_opened_total"),
    closed: counter("istio_tcp_connections_closed_total"),
    sentBytes: counter("istio_tcp_sent_bytes_total"),
    receivedBytes: counter("istio_tcp_received_bytes_total"),
  };
}

function dotted(labels: Labels): string {
  let text = "";
  for (const [name, value] of labels) text += `.${name}.${value}`;
  return text;
}
