// Cluster, from CDS or the bootstrap → ClusterConfig.
import type { JsonObject } from "@bufbuild/protobuf";
import type { Result } from "../../common/result.ts";
import type { Cluster, UpstreamConnectionOptions } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import {
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_EdsClusterConfigSchema,
  Cluster_TransportSocketMatchSchema,
  ClusterSchema,
  UpstreamConnectionOptionsSchema,
} from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { ConfigSource } from "../../xds/gen/envoy/config/core/v3/config_source_pb.ts";
import type { ClusterConfig, TransportSocketMatchConfig } from "./cluster-config.ts";
import { decodeCircuitBreakers } from "./decode-circuit-breakers.ts";
import { textMembers, decodeAssignment } from "./decode-endpoints.ts";
import { checkUpstreamHttp1, decodeCommonUpstream, decodeTypedProtocolOptions } from "./decode-http-protocol-options.ts";
import type { UpstreamHttp } from "./decode-http-protocol-options.ts";
import { decodeHttp2 } from "./decode-http2-options.ts";
import { decodeKeepalive } from "./decode-keepalive.ts";
import { decodeLoadBalancing } from "./decode-load-balancing.ts";
import { decodeUpstreamTransportSocket } from "./decode-tls.ts";
import { decodeBindSources } from "./decode-upstream-bind.ts";
import { durationMs, istioConfigName, istioMetadata } from "./decode-values.ts";
import type { Decoded, Decoding } from "./decoding.ts";
import { decodeResource, fieldRules, join } from "./decoding.ts";
import type { EndpointsConfig } from "./endpoint-config.ts";

const CLUSTER = fieldRules(
  ClusterSchema,
  [
    "transport_socket_matches",
    "name",
    "alt_stat_name",
    "type",
    "cluster_type",
    "eds_cluster_config",
    "connect_timeout",
    "lb_policy",
    "load_assignment",
    "max_requests_per_connection",
    "circuit_breakers",
    "common_http_protocol_options",
    "http_protocol_options",
    "http2_protocol_options",
    "protocol_selection",
    "typed_extension_protocol_options",
    "dns_refresh_rate",
    "dns_lookup_family",
    "upstream_bind_config",
    "upstream_connection_options",
    "original_dst_lb_config",
    "least_request_lb_config",
    "round_robin_lb_config",
    "common_lb_config",
    "transport_socket",
    "metadata",
  ],
  {
    per_connection_buffer_limit_bytes:
      "a soft limit of memory that changes no outcome; what waits for a slow peer is bounded at 256 KiB always",
    dns_failure_refresh_rate: "a failed lookup is tried again at the refresh rate",
    respect_dns_ttl: "the resolver of the operating system tells no TTL",
    wait_for_warm_on_init: "a cluster is waited for always",
    cleanup_interval: "how long an unused original destination is remembered changes no outcome",
    close_connections_on_host_health_failure: "for active health checks, which a cluster may not ask for",
    ignore_health_on_host_removal: "for active health checks, which a cluster may not ask for",
    track_timeout_budgets: "statistics only",
    track_cluster_stats: "statistics only",
  },
);
const CONNECTION = fieldRules(UpstreamConnectionOptionsSchema, ["tcp_keepalive"]);
const EDS = fieldRules(Cluster_EdsClusterConfigSchema, ["eds_config", "service_name"]);
const MATCH = fieldRules(Cluster_TransportSocketMatchSchema, ["name", "match", "transport_socket"]);

const TYPES: Readonly<Partial<Record<DiscoveryType, ClusterConfig["type"]>>> = {
  [DiscoveryType.STATIC]: "static",
  [DiscoveryType.STRICT_DNS]: "strict_dns",
  [DiscoveryType.LOGICAL_DNS]: "logical_dns",
  [DiscoveryType.EDS]: "eds",
  [DiscoveryType.ORIGINAL_DST]: "original_dst",
};
// By the number of the DnsLookupFamily enum.
const DNS_FAMILIES = ["auto", "v4_only", "v6_only", "v4_preferred", "all"] as const;

export function decodeCluster(input: Uint8Array | Cluster, path = ""): Result<Decoded<ClusterConfig>> {
  return decodeResource(ClusterSchema, input, path, (decoding, cluster) => toConfig(decoding, cluster, path));
}

function toConfig(decoding: Decoding, cluster: Cluster, path: string): ClusterConfig {
  decoding.check(CLUSTER, cluster, path);
  if (cluster.name === "") decoding.problem(join(path, "name"), "missing");
  const type = decodeType(decoding, cluster, path);
  const connectTimeoutMs = durationMs(decoding, cluster.connectTimeout, join(path, "connect_timeout"), 5000);
  if (connectTimeoutMs === 0) decoding.problem(join(path, "connect_timeout"), "must be above 0");
  const dnsRefreshMs = durationMs(decoding, cluster.dnsRefreshRate, join(path, "dns_refresh_rate"), 5000);
  if (dnsRefreshMs === 0) decoding.problem(join(path, "dns_refresh_rate"), "must be above 0");
  const services = istioMetadata(cluster.metadata)["services"];
  const tls = decodeUpstreamTransportSocket(decoding, cluster.transportSocket, join(path, "transport_socket"));
  const transportSocketMatches = decodeMatches(decoding, cluster, path);
  const http = decodeHttp(decoding, cluster, path);
  // Envoy's rule too: a peer can say what it speaks in a TLS handshake only.
  if (http.protocol === "auto" && [{ tls }, ...transportSocketMatches].some((socket) => socket.tls === undefined))
    decoding.problem(join(path, "typed_extension_protocol_options"), "auto_config needs TLS in every transport socket of the cluster");
  return {
    name: cluster.name,
    statName: cluster.altStatName === "" ? cluster.name : cluster.altStatName,
    type,
    edsServiceName: type === "eds" ? decodeEds(decoding, cluster, path) : "",
    staticEndpoints: decodeStaticEndpoints(decoding, cluster, type, path),
    connectTimeoutMs,
    ...decodeLoadBalancing(decoding, cluster, type, path),
    circuitBreakers: decodeCircuitBreakers(decoding, cluster.circuitBreakers, join(path, "circuit_breakers")),
    transportSocketMatches,
    tls,
    ...http,
    bindSourceAddresses: decodeBindSources(decoding, cluster.upstreamBindConfig, join(path, "upstream_bind_config")),
    tcpKeepalive: decodeConnectionOptions(decoding, cluster.upstreamConnectionOptions, join(path, "upstream_connection_options")),
    dnsRefreshMs,
    dnsLookupFamily: DNS_FAMILIES[cluster.dnsLookupFamily] ?? "auto",
    destinationRule: istioConfigName(cluster.metadata, "destination-rule"),
    service: Array.isArray(services) ? serviceOf(services[0] as JsonObject | undefined) : undefined,
  };
}

function decodeConnectionOptions(
  decoding: Decoding,
  options: UpstreamConnectionOptions | undefined,
  path: string,
): ClusterConfig["tcpKeepalive"] {
  if (options === undefined) return undefined;
  decoding.check(CONNECTION, options, path);
  return decodeKeepalive(decoding, options.tcpKeepalive, join(path, "tcp_keepalive"));
}

function decodeType(decoding: Decoding, cluster: Cluster, path: string): ClusterConfig["type"] {
  const type = cluster.clusterDiscoveryType;
  if (type.case === "clusterType") {
    decoding.problem(
      join(path, "cluster_type"),
      `unknown extension ${type.value.typedConfig?.typeUrl ?? type.value.name}; meshctl supports the types of field type`,
    );
    return "static";
  }
  const known = TYPES[type.value ?? DiscoveryType.STATIC];
  if (known === undefined) decoding.problem(join(path, "type"), `unknown discovery type ${type.value}`);
  return known ?? "static";
}

function decodeEds(decoding: Decoding, cluster: Cluster, path: string): string {
  const eds = cluster.edsClusterConfig;
  const inner = join(path, "eds_cluster_config");
  if (eds === undefined) {
    decoding.problem(inner, "missing; a cluster of type EDS needs it");
    return cluster.name;
  }
  decoding.check(EDS, eds, inner);
  requireAds(decoding, eds.edsConfig, join(inner, "eds_config"));
  return eds.serviceName === "" ? cluster.name : eds.serviceName;
}

/** Whatever is discovered comes over the one ADS stream. */
export function requireAds(decoding: Decoding, source: ConfigSource | undefined, path: string): void {
  const specifier = source?.configSourceSpecifier.case;
  if (specifier === undefined) decoding.problem(path, "missing; use ads");
  else if (specifier !== "ads" && specifier !== "self") decoding.unsupported(path, "only ads");
}

function decodeStaticEndpoints(
  decoding: Decoding,
  cluster: Cluster,
  type: ClusterConfig["type"],
  path: string,
): EndpointsConfig | undefined {
  const inner = join(path, "load_assignment");
  if (type === "eds" || type === "original_dst") {
    if (cluster.loadAssignment !== undefined) decoding.problem(inner, `must not be set for a cluster of type ${type.toUpperCase()}`);
    return undefined;
  }
  if (cluster.loadAssignment === undefined) return undefined;
  const value = decodeAssignment(decoding, cluster.loadAssignment, inner, { names: type !== "static" });
  const count = value.localities.reduce((sum, each) => sum + each.endpoints.length, 0);
  if (type === "logical_dns" && count !== 1 && !decoding.failed)
    decoding.problem(inner, `a cluster of type LOGICAL_DNS needs exactly one endpoint, not ${count}`);
  return value;
}

function decodeMatches(decoding: Decoding, cluster: Cluster, path: string): readonly TransportSocketMatchConfig[] {
  return cluster.transportSocketMatches.map((each, index): TransportSocketMatchConfig => {
    const inner = `${join(path, "transport_socket_matches")}[${index}]`;
    decoding.check(MATCH, each, inner);
    const match = textMembers(each.match);
    if (Object.keys(match).length < Object.keys(each.match ?? {}).length) decoding.unsupported(join(inner, "match"), "only text values");
    return { name: each.name, match, tls: decodeUpstreamTransportSocket(decoding, each.transportSocket, join(inner, "transport_socket")) };
  });
}

function decodeHttp(decoding: Decoding, cluster: Cluster, path: string): UpstreamHttp {
  const typed = decodeTypedProtocolOptions(decoding, cluster.typedExtensionProtocolOptions, join(path, "typed_extension_protocol_options"));
  const http = typed ?? {
    // The fields that were there before typed_extension_protocol_options; without it Envoy still reads them.
    ...decodeCommonUpstream(decoding, cluster.commonHttpProtocolOptions, join(path, "common_http_protocol_options")),
    protocol: cluster.protocolSelection === 1 ? "downstream" : cluster.http2ProtocolOptions !== undefined ? "http2" : "http1",
    http2: decodeHttp2(decoding, cluster.http2ProtocolOptions, join(path, "http2_protocol_options")),
  };
  if (typed === undefined) checkUpstreamHttp1(decoding, cluster.httpProtocolOptions, join(path, "http_protocol_options"));
  const maxRequests = cluster.maxRequestsPerConnection ?? 0;
  return { ...http, maxRequestsPerConnection: http.maxRequestsPerConnection === 0 ? maxRequests : http.maxRequestsPerConnection };
}

function serviceOf(service: JsonObject | undefined): ClusterConfig["service"] {
  const { host, name, namespace } = service ?? {};
  return typeof host === "string" && typeof name === "string" && typeof namespace === "string" ? { host, name, namespace } : undefined;
}
