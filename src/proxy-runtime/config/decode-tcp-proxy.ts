// The network filter TcpProxy → TcpProxyConfig.
import type { TcpProxy } from "../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import {
  TcpProxy_WeightedCluster_ClusterWeightSchema,
  TcpProxySchema,
} from "../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import { decodeAccessLogs } from "./decode-access-log.ts";
import { durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { TcpProxyConfig } from "./listener-config.ts";

const TCP_PROXY = fieldRules(
  TcpProxySchema,
  [
    "stat_prefix",
    "cluster",
    "weighted_clusters",
    "idle_timeout",
    "max_downstream_connection_duration",
    "access_log",
    "max_connect_attempts",
  ],
  {
    metadata_match: "read by subset load balancing only, which clusters may not ask for",
    hash_policy: "read by ring hash and maglev only, which clusters may not ask for",
  },
);
const WEIGHT = fieldRules(TcpProxy_WeightedCluster_ClusterWeightSchema, ["name", "weight"], {
  metadata_match: "read by subset load balancing only, which clusters may not ask for",
});

export function decodeTcpProxy(decoding: Decoding, filter: TcpProxy, path: string, reporter: TcpProxyConfig["reporter"]): TcpProxyConfig {
  decoding.check(TCP_PROXY, filter, path);
  if (filter.statPrefix === "") decoding.problem(join(path, "stat_prefix"), "missing");
  if (filter.maxConnectAttempts === 0) decoding.problem(join(path, "max_connect_attempts"), "must be at least 1");
  return {
    kind: "tcp",
    statPrefix: filter.statPrefix,
    clusters: decodeClusters(decoding, filter, path),
    idleTimeoutMs: durationMs(decoding, filter.idleTimeout, join(path, "idle_timeout"), 3_600_000),
    maxDownstreamConnectionDurationMs: durationMs(
      decoding,
      filter.maxDownstreamConnectionDuration,
      join(path, "max_downstream_connection_duration"),
      0,
    ),
    maxConnectAttempts: filter.maxConnectAttempts ?? 1,
    accessLogs: decodeAccessLogs(decoding, filter.accessLog, join(path, "access_log")),
    reporter,
  };
}

function decodeClusters(decoding: Decoding, filter: TcpProxy, path: string): TcpProxyConfig["clusters"] {
  const specifier = filter.clusterSpecifier;
  if (specifier.case === "cluster" && specifier.value !== "") return [{ cluster: specifier.value, weight: 1 }];
  if (specifier.case !== "weightedClusters") {
    decoding.problem(path, "needs cluster or weighted_clusters");
    return [];
  }
  const inner = join(path, "weighted_clusters.clusters");
  const clusters = specifier.value.clusters.map((each, index) => {
    decoding.check(WEIGHT, each, `${inner}[${index}]`);
    if (each.name === "") decoding.problem(`${inner}[${index}].name`, "missing");
    if (each.weight === 0) decoding.problem(`${inner}[${index}].weight`, "must be at least 1");
    return { cluster: each.name, weight: each.weight };
  });
  if (clusters.length === 0) decoding.problem(inner, "must not be empty");
  return clusters;
}
