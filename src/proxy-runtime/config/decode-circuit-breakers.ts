// Circuit breaker limits of a cluster, for each of the two priorities.
import type { CircuitBreakers } from "../../xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts";
import { CircuitBreakers_ThresholdsSchema, CircuitBreakersSchema } from "../../xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts";
import { RoutingPriority } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import type { CircuitBreakerConfig, ClusterConfig } from "./cluster-config.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";

const BREAKERS = fieldRules(CircuitBreakersSchema, ["thresholds"]);
const THRESHOLDS = fieldRules(
  CircuitBreakers_ThresholdsSchema,
  ["priority", "max_connections", "max_pending_requests", "max_requests", "max_retries"],
  { track_remaining: "statistics only", max_connection_pools: "a cluster has one pool per host and protocol" },
);

/** Envoy's defaults. */
const DEFAULTS: CircuitBreakerConfig = { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 };

export function decodeCircuitBreakers(
  decoding: Decoding,
  breakers: CircuitBreakers | undefined,
  path: string,
): ClusterConfig["circuitBreakers"] {
  const limits: { default?: CircuitBreakerConfig; high?: CircuitBreakerConfig } = {};
  if (breakers !== undefined) decoding.check(BREAKERS, breakers, path);
  breakers?.thresholds.forEach((each, index) => {
    decoding.check(THRESHOLDS, each, `${join(path, "thresholds")}[${index}]`);
    // Envoy: the first thresholds of a priority win.
    limits[each.priority === RoutingPriority.HIGH ? "high" : "default"] ??= {
      maxConnections: each.maxConnections ?? DEFAULTS.maxConnections,
      maxPendingRequests: each.maxPendingRequests ?? DEFAULTS.maxPendingRequests,
      maxRequests: each.maxRequests ?? DEFAULTS.maxRequests,
      maxRetries: each.maxRetries ?? DEFAULTS.maxRetries,
    };
  });
  return { default: limits.default ?? DEFAULTS, high: limits.high ?? DEFAULTS };
}
