// What the pools of a cluster share.
import type { ClusterConfig } from "../../config/cluster-config.ts";
import type { IoContext } from "../../transport/connection.ts";
import type { Secrets } from "../../transport/secrets.ts";
import type { Timers } from "../../transport/timers.ts";
import type { CircuitBreaker } from "../circuit-breaker.ts";
import type { ClusterStats } from "../cluster-stats.ts";

export interface PoolContext {
  readonly io: IoContext;
  readonly secrets: Secrets;
  readonly timers: Timers;
  readonly stats: ClusterStats;
  readonly breaker: CircuitBreaker;
  /** The cluster's present configuration. */
  config(): ClusterConfig;
}
