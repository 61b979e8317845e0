// Counters of one HTTP connection manager under Envoy's names, by stat prefix.
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import type { Counter, Gauge, Histogram, StatsStore } from "../telemetry/stats-store.ts";

const GIVEN_UP: readonly Cause[] = [Causes.downstreamDisconnect, Causes.downstreamReset];

/** What each counter of failed requests counts. */
const CAUSES: Readonly<Record<string, readonly Cause[]>> = {
  no_route: [Causes.noRoute],
  no_cluster: [Causes.noCluster],
  downstream_rq_rx_reset: GIVEN_UP,
  downstream_rq_timeout: [Causes.requestTimeout, Causes.requestTimeoutMidway],
  downstream_rq_too_large: [Causes.payloadTooLarge],
  downstream_rq_header_timeout: [Causes.headersTimeout],
  downstream_rq_idle_timeout: [Causes.downstreamIdle, Causes.streamIdle, Causes.streamIdleMidway],
  downstream_rq_max_duration_reached: [Causes.requestDuration, Causes.streamDuration, Causes.streamDurationMidway],
  downstream_rq_failed_path_normalization: [Causes.pathNormalizationFailed],
  // Envoy's name, which covers every upgrade and CONNECT.
  downstream_rq_ws_on_non_ws_route: [Causes.upgradeRefused, Causes.connectRefused],
};

export class HttpStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxDestroy: Counter;
  readonly cxHttp1Total: Counter;
  readonly cxHttp2Total: Counter;
  readonly cxSslTotal: Counter;
  readonly cxProtocolError: Counter;
  readonly rqTooManyResets: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxRxBytes: Counter;
  readonly cxTxBytes: Counter;
  readonly cxDrainClose: Counter;
  readonly cxMaxDuration: Counter;
  readonly cxMaxRequests: Counter;
  readonly cxLengthMs: Histogram;
  readonly upgradesTotal: Counter;
  readonly upgradesActive: Gauge;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqCompleted: Counter;
  readonly rqRedirectedWithNormalizedPath: Counter;
  readonly rqTime: Histogram;
  readonly #rqTxReset: Counter;
  readonly #byCause: ReadonlyMap<Cause, Counter>;
  readonly #classes: readonly Counter[];

  constructor(store: StatsStore, prefix: string) {
    const scope = store.scope("http.", prefix, "envoy_http_", "envoy_http_conn_manager_prefix");
    this.cxTotal = scope.counter("downstream_cx_total");
    this.cxActive = scope.gauge("downstream_cx_active");
    this.cxDestroy = scope.counter("downstream_cx_destroy");
    this.cxHttp1Total = scope.counter("downstream_cx_http1_total");
    this.cxHttp2Total = scope.counter("downstream_cx_http2_total");
    this.cxSslTotal = scope.counter("downstream_cx_ssl_total");
    this.rqTooManyResets = scope.counter("downstream_rq_too_many_premature_resets");
    this.cxProtocolError = scope.counter("downstream_cx_protocol_error");
    this.cxIdleTimeout = scope.counter("downstream_cx_idle_timeout");
    this.cxRxBytes = scope.counter("downstream_cx_rx_bytes_total");
    this.cxTxBytes = scope.counter("downstream_cx_tx_bytes_total");
    this.cxDrainClose = scope.counter("downstream_cx_drain_close");
    this.cxMaxDuration = scope.counter("downstream_cx_max_duration_reached");
    this.cxMaxRequests = scope.counter("downstream_cx_max_requests_reached");
    this.cxLengthMs = scope.histogram("downstream_cx_length_ms", "ms");
    this.upgradesTotal = scope.counter("downstream_cx_upgrades_total");
    this.upgradesActive = scope.gauge("downstream_cx_upgrades_active");
    this.rqTotal = scope.counter("downstream_rq_total");
    this.rqActive = scope.gauge("downstream_rq_active");
    this.rqCompleted = scope.counter("downstream_rq_completed");
    this.rqRedirectedWithNormalizedPath = scope.counter("downstream_rq_redirected_with_normalized_path");
    this.#rqTxReset = scope.counter("downstream_rq_tx_reset");
    this.#byCause = new Map(
      Object.entries(CAUSES).flatMap(([name, causes]) => {
        const counter = scope.counter(name);
        return causes.map((cause) => [cause, counter] as const);
      }),
    );
    this.rqTime = scope.histogram("downstream_rq_time", "ms");
    this.#classes = [1, 2, 3, 4, 5].map((kind) =>
      scope.counter(`downstream_rq_${kind}xx`, { name: "downstream_rq_xx", tags: [["envoy_response_code_class", String(kind)]] }),
    );
  }

  /** Counts a request that has failed. */
  countCause(cause: Cause): void {
    this.#byCause.get(cause)?.inc();
    if (cause.httpStatus === 0 && !GIVEN_UP.includes(cause)) this.#rqTxReset.inc();
  }

  /** Counts a finished request by its status class; 0 where no response was sent. */
  countCompleted(status: number): void {
    this.rqCompleted.inc();
    this.#classes[Math.floor(status / 100) - 1]?.inc();
  }
}
