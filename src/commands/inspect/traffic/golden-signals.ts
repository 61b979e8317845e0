// One row per direction and service: what `meshctl stats` shows, from two scrapes of a sidecar and its endpoints.
import { count, field, items, readAddress, text, type Json } from "../proxy-config/envoy-json.ts";
import type { Sample } from "./prometheus-text.ts";
import { groupTraffic, type Traffic } from "./traffic.ts";

export interface GoldenSignals {
  readonly direction: "inbound" | "outbound";
  /** `checkout.shop`, or the name of the cluster for what is no service; empty for inbound. */
  readonly service: string;
  /** Pods with a sidecar / all pods; undefined where no endpoints are known. */
  readonly meshed: { readonly pods: number; readonly total: number } | undefined;
  readonly requests: number;
  /** 0 to 1; undefined without requests. */
  readonly success: number | undefined;
  /** Undefined without requests. */
  readonly rps: number | undefined;
  readonly latencyMs: { readonly p50: number | undefined; readonly p95: number | undefined; readonly p99: number | undefined };
  /** Open now; undefined where the proxy doesn't count them. */
  readonly tcpConnections: number | undefined;
}

export interface SignalSources {
  /** Growth of the traffic metrics in the window. */
  readonly window: readonly Sample[];
  /** All metrics at its end: which services were ever called, and open connections of listeners. */
  readonly now: readonly Sample[];
  readonly windowSeconds: number;
  /** cluster_statuses of /clusters?format=json. */
  readonly clusters: readonly Json[];
  /** ClusterLoadAssignments of the config dump. */
  readonly endpoints: readonly Json[];
}

/** Inbound first, then services by name. */
export function goldenSignals(sources: SignalSources): GoldenSignals[] {
  const window = groupTraffic(sources.window, keyOf);
  const ever = groupTraffic(sources.now, keyOf);
  const rows: GoldenSignals[] = [];
  const inbound = window.get(INBOUND);
  rows.push({
    direction: "inbound",
    service: "",
    meshed: { pods: 1, total: 1 },
    ...measure(inbound, sources.windowSeconds),
    tcpConnections: inboundConnections(sources),
  });
  const services = [...ever].filter(([key, traffic]) => key !== INBOUND && (traffic.requests > 0 || traffic.tcpOpened > 0));
  for (const [key, traffic] of services.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const host = traffic.labels["destination_service"] ?? "";
    rows.push({
      direction: "outbound",
      service: key,
      meshed: meshedPods(sources.endpoints, host),
      ...measure(window.get(key), sources.windowSeconds),
      tcpConnections: connectionsOf(sources.clusters, (name) => hostOf(name) === host || name === key),
    });
  }
  return rows;
}

const INBOUND = "";

function keyOf(labels: Readonly<Record<string, string>>): string | undefined {
  if (labels["reporter"] === "destination") return INBOUND;
  if (labels["reporter"] !== "source") return undefined;
  const name = labels["destination_service_name"] ?? "";
  const namespace = labels["destination_service_namespace"] ?? "";
  return namespace === "" || namespace === "unknown" ? name || "unknown" : `${name}.${namespace}`;
}

function measure(traffic: Traffic | undefined, windowSeconds: number) {
  const requests = traffic?.requests ?? 0;
  return {
    requests,
    success: traffic?.success,
    rps: requests > 0 && windowSeconds > 0 ? requests / windowSeconds : undefined,
    latencyMs: { p50: traffic?.latencyMs(0.5), p95: traffic?.latencyMs(0.95), p99: traffic?.latencyMs(0.99) },
  };
}

/** Host of `outbound|<port>|<subset>|<host>`. */
function hostOf(clusterName: string): string | undefined {
  const parts = clusterName.split("|");
  return parts.length === 4 && parts[0] === "outbound" ? parts[3] : undefined;
}

function meshedPods(endpoints: readonly Json[], host: string): GoldenSignals["meshed"] {
  const pods = new Map<string, boolean>();
  for (const assignment of endpoints) {
    if (hostOf(text(assignment, "clusterName")) !== host) continue;
    for (const endpoint of items(assignment, "endpoints").flatMap((locality) => items(locality, "lbEndpoints"))) {
      const mode = text(endpoint, "metadata", "filterMetadata", "envoy.transport_socket_match", "tlsMode");
      pods.set(readAddress(field(endpoint, "endpoint", "address")).address, mode === "istio");
    }
  }
  return pods.size === 0 ? undefined : { pods: [...pods.values()].filter(Boolean).length, total: pods.size };
}

/** Open upstream connections, over the hosts of the clusters whose name passes; undefined without such a cluster. */
function connectionsOf(clusters: readonly Json[], isWanted: (name: string) => boolean): number | undefined {
  const wanted = clusters.filter((each) => isWanted(text(each, "name")));
  if (wanted.length === 0) return undefined;
  const hosts = wanted.flatMap((each) => items(each, "hostStatuses"));
  const open = hosts.map((host) =>
    count(
      items(host, "stats").find((stat) => text(stat, "name") === "cx_active"),
      "value",
    ),
  );
  return open.reduce((sum, each) => sum + each, 0);
}

/** Connections from outside: the inbound listener's, or, where Istio has that statistic off, those to the application. */
function inboundConnections({ now, clusters }: SignalSources): number | undefined {
  const gauges = now.filter(
    (sample) => sample.name === "envoy_listener_downstream_cx_active" && (sample.labels["envoy_listener_address"] ?? "").endsWith("_15006"),
  );
  if (gauges.length > 0) return gauges.reduce((sum, sample) => sum + sample.value, 0);
  return connectionsOf(clusters, (name) => name.startsWith("inbound|"));
}
