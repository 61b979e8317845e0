// Limits of one cluster and what counts against them. Envoy's defaults: 1024 of each, 3 retries.
import type { CircuitBreakerConfig } from "../config/cluster-config.ts";

export class CircuitBreaker {
  limits: CircuitBreakerConfig;
  connections = 0;
  pending = 0;
  requests = 0;
  retries = 0;

  constructor(limits: CircuitBreakerConfig) {
    this.limits = limits;
  }

  admitsConnection(): boolean {
    return this.connections < this.limits.maxConnections;
  }

  admitsPending(): boolean {
    return this.pending < this.limits.maxPendingRequests;
  }

  admitsRequest(): boolean {
    return this.requests < this.limits.maxRequests;
  }

  /** `retries` counts those that wait and those under way. */
  admitsRetry(): boolean {
    const { maxRetries, retryBudget } = this.limits;
    if (retryBudget === undefined) return this.retries < maxRetries;
    return this.retries < Math.max(retryBudget.minRetries, ((this.requests + this.pending) * retryBudget.percent) / 100);
  }
}
