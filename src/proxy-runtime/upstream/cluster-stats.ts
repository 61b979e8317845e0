// A cluster's counters under Envoy's names, resolved once.
import { Http2Stats } from "../http/http2/http2-stats.ts";
import type { Counter, Gauge, Histogram, StatsScope, StatsStore } from "../telemetry/stats-store.ts";

export class ClusterStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxHttp1Total: Counter;
  readonly cxHttp2Total: Counter;
  readonly http2: Http2Stats;
  readonly cxConnectFail: Counter;
  readonly cxConnectTimeout: Counter;
  readonly cxDestroy: Counter;
  readonly cxOverflow: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxMaxRequests: Counter;
  readonly cxMaxDuration: Counter;
  readonly cxNoneHealthy: Counter;
  readonly cxProtocolError: Counter;
  readonly cxRxBytes: Counter;
  readonly cxTxBytes: Counter;
  /** Of relays that gave up: max_connect_attempts. */
  readonly cxConnectAttemptsExceeded: Counter;
  readonly cxPausedReading: Counter;
  readonly cxResumedReading: Counter;
  readonly cxConnectMs: Histogram;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqCompleted: Counter;
  readonly rqPendingTotal: Counter;
  readonly rqPendingActive: Gauge;
  readonly rqPendingOverflow: Counter;
  readonly rqPendingFailureEject: Counter;
  readonly rqTimeout: Counter;
  readonly rqPerTryTimeout: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqCancelled: Counter;
  readonly rqRetry: Counter;
  readonly rqRetrySuccess: Counter;
  readonly rqRetryOverflow: Counter;
  readonly rqRetryLimitExceeded: Counter;
  readonly rqRetryBackoffExponential: Counter;
  readonly rqRetryBackoffRatelimited: Counter;
  /** A body grew too large to be kept for another try. */
  readonly retryAbandoned: Counter;
  readonly rqPerTryIdleTimeout: Counter;
  readonly rqMaxDurationReached: Counter;
  readonly rqTime: Histogram;
  readonly sslHandshake: Counter;
  readonly sslConnectionError: Counter;
  readonly sslFailVerifySan: Counter;
  readonly membershipTotal: Gauge;
  readonly membershipHealthy: Gauge;
  readonly membershipChange: Counter;
  readonly updateSuccess: Counter;
  readonly healthyPanic: Counter;
  readonly #scope: StatsScope;
  readonly #codes: (Counter | undefined)[] = [];
  readonly #classes: (Counter | undefined)[] = [];
  readonly #retryCodes: (Counter | undefined)[] = [];

  constructor(store: StatsStore, name: string) {
    const scope = store.scope("cluster.", name, "envoy_cluster_", "envoy_cluster_name");
    this.#scope = scope;
    this.cxTotal = scope.counter("upstream_cx_total");
    this.cxActive = scope.gauge("upstream_cx_active");
    this.cxHttp1Total = scope.counter("upstream_cx_http1_total");
    this.http2 = new Http2Stats((name) => scope.counter(`http2.${name}`));
    this.cxHttp2Total = scope.counter("upstream_cx_http2_total");
    this.cxConnectFail = scope.counter("upstream_cx_connect_fail");
    this.cxConnectTimeout = scope.counter("upstream_cx_connect_timeout");
    this.cxDestroy = scope.counter("upstream_cx_destroy");
    this.cxOverflow = scope.counter("upstream_cx_overflow");
    this.cxIdleTimeout = scope.counter("upstream_cx_idle_timeout");
    this.cxMaxRequests = scope.counter("upstream_cx_max_requests");
    this.cxMaxDuration = scope.counter("upstream_cx_max_duration_reached");
    this.cxNoneHealthy = scope.counter("upstream_cx_none_healthy");
    this.cxProtocolError = scope.counter("upstream_cx_protocol_error");
    this.cxRxBytes = scope.counter("upstream_cx_rx_bytes_total");
    this.cxTxBytes = scope.counter("upstream_cx_tx_bytes_total");
    this.cxConnectAttemptsExceeded = scope.counter("upstream_cx_connect_attempts_exceeded");
    this.cxPausedReading = scope.counter("upstream_flow_control_paused_reading_total");
    this.cxResumedReading = scope.counter("upstream_flow_control_resumed_reading_total");
    this.cxConnectMs = scope.histogram("upstream_cx_connect_ms", "ms");
    this.rqTotal = scope.counter("upstream_rq_total");
    this.rqActive = scope.gauge("upstream_rq_active");
    this.rqCompleted = scope.counter("upstream_rq_completed");
    this.rqPendingTotal = scope.counter("upstream_rq_pending_total");
    this.rqPendingActive = scope.gauge("upstream_rq_pending_active");
    this.rqPendingOverflow = scope.counter("upstream_rq_pending_overflow");
    this.rqPendingFailureEject = scope.counter("upstream_rq_pending_failure_eject");
    this.rqTimeout = scope.counter("upstream_rq_timeout");
    this.rqPerTryTimeout = scope.counter("upstream_rq_per_try_timeout");
    this.rqRxReset = scope.counter("upstream_rq_rx_reset");
    this.rqTxReset = scope.counter("upstream_rq_tx_reset");
    this.rqCancelled = scope.counter("upstream_rq_cancelled");
    this.rqRetry = scope.counter("upstream_rq_retry");
    this.rqRetrySuccess = scope.counter("upstream_rq_retry_success");
    this.rqRetryOverflow = scope.counter("upstream_rq_retry_overflow");
    this.rqRetryLimitExceeded = scope.counter("upstream_rq_retry_limit_exceeded");
    this.rqRetryBackoffExponential = scope.counter("upstream_rq_retry_backoff_exponential");
    this.rqRetryBackoffRatelimited = scope.counter("upstream_rq_retry_backoff_ratelimited");
    this.retryAbandoned = scope.counter("retry_or_shadow_abandoned");
    this.rqPerTryIdleTimeout = scope.counter("upstream_rq_per_try_idle_timeout");
    this.rqMaxDurationReached = scope.counter("upstream_rq_max_duration_reached");
    this.rqTime = scope.histogram("upstream_rq_time", "ms");
    this.sslHandshake = scope.counter("ssl.handshake");
    this.sslConnectionError = scope.counter("ssl.connection_error");
    this.sslFailVerifySan = scope.counter("ssl.fail_verify_san");
    this.membershipTotal = scope.gauge("membership_total", "max");
    this.membershipHealthy = scope.gauge("membership_healthy", "max");
    this.membershipChange = scope.counter("membership_change", undefined, "max");
    this.updateSuccess = scope.counter("update_success", undefined, "max");
    this.healthyPanic = scope.counter("lb_healthy_panic");
  }

  /** Counts a final response: upstream_rq_completed, _200 and _2xx. */
  countResponse(status: number): void {
    this.rqCompleted.inc();
    (this.#codes[status] ??= this.#scope.counter(`upstream_rq_${status}`, {
      name: "upstream_rq",
      tags: [["envoy_response_code", String(status)]],
    })).inc();
    const kind = Math.floor(status / 100);
    (this.#classes[kind] ??= this.#scope.counter(`upstream_rq_${kind}xx`, {
      name: "upstream_rq_xx",
      tags: [["envoy_response_code_class", String(kind)]],
    })).inc();
  }

  /** Counts a response that was retried instead of passed on. */
  countRetriedResponse(status: number): void {
    (this.#retryCodes[status] ??= this.#scope.counter(`retry.upstream_rq_${status}`, {
      name: "retry_upstream_rq",
      tags: [["envoy_response_code", String(status)]],
    })).inc();
  }
}
