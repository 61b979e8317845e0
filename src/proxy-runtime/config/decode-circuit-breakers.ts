// Circuit breaker limits of a cluster, for each of the two priorities.
import type { CircuitBreakers } from "../../xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts";
import {
  CircuitBreakers_Thresholds_RetryBudgetSchema,
  CircuitBreakers_ThresholdsSchema,
  CircuitBreakersSchema,
} from "../../xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts";
import { RoutingPriority } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import type { CircuitBreakerConfig, ClusterConfig } from "./cluster-config.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";

const BREAKERS = fieldRules(CircuitBreakersSchema, ["thresholds"]);
const THRESHOLDS = fieldRules(
  CircuitBreakers_ThresholdsSchema,
  ["priority", "max_connections", "max_pending_requests", "max_requests", "max_retries", "retry_budget"],
  { track_remaining: "statistics only", max_connection_pools: "a cluster has one pool per host and protocol" },
);
const BUDGET = fieldRules(CircuitBreakers_Thresholds_RetryBudgetSchema, ["budget_percent", "min_retry_concurrency"]);

/** Envoy's defaults. */
const DEFAULTS: CircuitBreakerConfig = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
  retryBudget: undefined,
};
const BUDGET_PERCENT = 20;
const MIN_RETRIES = 3;

export function decodeCircuitBreakers(
  decoding: Decoding,
  breakers: CircuitBreakers | undefined,
  path: string,
): ClusterConfig["circuitBreakers"] {
  const limits: { default?: CircuitBreakerConfig; high?: CircuitBreakerConfig } = {};
  if (breakers !== undefined) decoding.check(BREAKERS, breakers, path);
  breakers?.thresholds.forEach((each, index) => {
    const inner = `${join(path, "thresholds")}[${index}]`;
    decoding.check(THRESHOLDS, each, inner);
    const budget = each.retryBudget;
    if (budget !== undefined) decoding.check(BUDGET, budget, join(inner, "retry_budget"));
    // Envoy: the first thresholds of a priority win.
    limits[each.priority === RoutingPriority.HIGH ? "high" : "default"] ??= {
      maxConnections: each.maxConnections ?? DEFAULTS.maxConnections,
      maxPendingRequests: each.maxPendingRequests ?? DEFAULTS.maxPendingRequests,
      maxRequests: each.maxRequests ?? DEFAULTS.maxRequests,
      maxRetries: each.maxRetries ?? DEFAULTS.maxRetries,
      retryBudget:
        budget === undefined
          ? undefined
          : { percent: budget.budgetPercent?.value ?? BUDGET_PERCENT, minRetries: budget.minRetryConcurrency ?? MIN_RETRIES },
    };
  });
  return { default: limits.default ?? DEFAULTS, high: limits.high ?? DEFAULTS };
}
