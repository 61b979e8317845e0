// /clusters, as text and as JSON: every cluster with its limits and every host with its counts and health.
import type { CircuitBreakerConfig, ClusterConfig } from "../config/cluster-config.ts";
import { withoutDefaults } from "./answer.ts";
import type { ClusterStatus, HostStatus } from "./data-plane-view.ts";

export function clustersText(clusters: readonly ClusterStatus[]): string {
  return clusters.map(clusterText).join("");
}

function clusterText({ config, addedViaApi, hosts }: ClusterStatus): string {
  const { name, circuitBreakers } = config;
  const lines = [
    `observability_name::${observabilityName(config)}`,
    ...breakerLines("default_priority", circuitBreakers.default),
    ...breakerLines("high_priority", circuitBreakers.high),
    `added_via_api::${addedViaApi}`,
  ];
  const service = explicitServiceName(config);
  if (service !== "") lines.push(`eds_service_name::${service}`);
  for (const host of hosts) lines.push(...hostLines(host).map((line) => `${host.address}::${line}`));
  return lines.map((line) => `${name}::${line}\n`).join("");
}

function breakerLines(priority: string, limits: CircuitBreakerConfig): string[] {
  return Object.entries(breakerFields(limits)).map(([field, value]) => `${priority}::${field}::${value}`);
}

function breakerFields({ maxConnections, maxPendingRequests, maxRequests, maxRetries }: CircuitBreakerConfig) {
  return { max_connections: maxConnections, max_pending_requests: maxPendingRequests, max_requests: maxRequests, max_retries: maxRetries };
}

function hostLines(host: HostStatus): string[] {
  const { endpoint, locality } = host;
  const values = [...counters(host), ...gauges(host)].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...values.map(([name, value]) => `${name}::${value}`),
    `hostname::${endpoint.hostname}`,
    `health_flags::${healthFlags(host)}`,
    `weight::${endpoint.weight}`,
    `region::${locality.region}`,
    `zone::${locality.zone}`,
    `sub_zone::${locality.subZone}`,
    "canary::false",
    `priority::${host.priority}`,
    "success_rate::-1",
    "local_origin_success_rate::-1",
  ];
}

function counters(host: HostStatus): [string, number][] {
  return [
    ["cx_connect_fail", host.cxConnectFail],
    ["cx_total", host.cxTotal],
    ["rq_error", host.rqError],
    ["rq_success", host.rqSuccess],
    ["rq_timeout", host.rqTimeout],
    ["rq_total", host.rqTotal],
  ];
}

function gauges(host: HostStatus): [string, number][] {
  return [
    ["cx_active", host.cxActive],
    ["rq_active", host.rqActive],
  ];
}

function healthFlags({ failedOutlierCheck, endpoint }: HostStatus): string {
  let flags = failedOutlierCheck ? "/failed_outlier_check" : "";
  if (edsFailed(endpoint.health)) flags += "/failed_eds_health";
  if (endpoint.health === "degraded") flags += "/degraded_eds_health";
  return flags === "" ? "healthy" : flags;
}

function edsFailed(health: HostStatus["endpoint"]["health"]): boolean {
  return health === "unhealthy" || health === "draining" || health === "timeout";
}

/** envoy.admin.v3.Clusters */
export function clustersJson(clusters: readonly ClusterStatus[]): unknown {
  return {
    cluster_statuses: clusters.map(({ config, addedViaApi, hosts }) => ({
      ...withoutDefaults({ name: config.name, added_via_api: addedViaApi }),
      ...(hosts.length > 0 ? { host_statuses: hosts.map(hostJson) } : {}),
      circuit_breakers: {
        thresholds: [breakerFields(config.circuitBreakers.default), { priority: "HIGH", ...breakerFields(config.circuitBreakers.high) }],
      },
      ...withoutDefaults({ observability_name: observabilityName(config), eds_service_name: explicitServiceName(config) }),
    })),
  };
}

function hostJson(host: HostStatus): unknown {
  const { endpoint, locality } = host;
  const health = endpoint.health === "unknown" ? "healthy" : endpoint.health;
  return {
    address: { socket_address: { address: host.ip, port_value: host.port } },
    stats: [
      ...counters(host).map(([name, value]) => statJson(name, value)),
      ...gauges(host).map(([name, value]) => ({ type: "GAUGE", ...statJson(name, value) })),
    ],
    health_status: withoutDefaults({ failed_outlier_check: host.failedOutlierCheck, eds_health_status: health.toUpperCase() }),
    ...withoutDefaults({ weight: endpoint.weight, hostname: endpoint.hostname, priority: host.priority }),
    locality: withoutDefaults({ region: locality.region, zone: locality.zone, sub_zone: locality.subZone }),
  };
}

/** 64 bit numbers are texts in proto3 JSON. */
function statJson(name: string, value: number): Record<string, string> {
  return value === 0 ? { name } : { name, value: String(value) };
}

function observabilityName({ statName, name }: ClusterConfig): string {
  return statName || name;
}

function explicitServiceName({ type, edsServiceName }: ClusterConfig): string {
  return type === "eds" ? edsServiceName : "";
}
