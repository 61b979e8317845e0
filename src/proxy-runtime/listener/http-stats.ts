// Counters of one HTTP connection manager under Envoy's names, by stat prefix.
import type { Counter, Gauge, Histogram, StatsStore } from "../telemetry/stats-store.ts";

export class HttpStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxDestroy: Counter;
  readonly cxHttp1Total: Counter;
  readonly cxHttp2Total: Counter;
  readonly cxSslTotal: Counter;
  readonly cxProtocolError: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxDrainClose: Counter;
  readonly cxLengthMs: Histogram;
  readonly upgradesTotal: Counter;
  readonly upgradesActive: Gauge;
  readonly upgradesRefused: Counter;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqCompleted: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqTimeout: Counter;
  readonly rqIdleTimeout: Counter;
  readonly rqTime: Histogram;
  readonly noRoute: Counter;
  readonly noCluster: Counter;
  readonly #classes: readonly Counter[];

  constructor(store: StatsStore, prefix: string) {
    const scope = store.scope("http.", prefix, "envoy_http_", "envoy_http_conn_manager_prefix");
    this.cxTotal = scope.counter("downstream_cx_total");
    this.cxActive = scope.gauge("downstream_cx_active");
    this.cxDestroy = scope.counter("downstream_cx_destroy");
    this.cxHttp1Total = scope.counter("downstream_cx_http1_total");
    this.cxHttp2Total = scope.counter("downstream_cx_http2_total");
    this.cxSslTotal = scope.counter("downstream_cx_ssl_total");
    this.cxProtocolError = scope.counter("downstream_cx_protocol_error");
    this.cxIdleTimeout = scope.counter("downstream_cx_idle_timeout");
    this.cxDrainClose = scope.counter("downstream_cx_drain_close");
    this.cxLengthMs = scope.histogram("downstream_cx_length_ms", "ms");
    this.upgradesTotal = scope.counter("downstream_cx_upgrades_total");
    this.upgradesActive = scope.gauge("downstream_cx_upgrades_active");
    // Envoy's name, which covers every upgrade and CONNECT.
    this.upgradesRefused = scope.counter("downstream_rq_ws_on_non_ws_route");
    this.rqTotal = scope.counter("downstream_rq_total");
    this.rqActive = scope.gauge("downstream_rq_active");
    this.rqCompleted = scope.counter("downstream_rq_completed");
    this.rqRxReset = scope.counter("downstream_rq_rx_reset");
    this.rqTxReset = scope.counter("downstream_rq_tx_reset");
    this.rqTimeout = scope.counter("downstream_rq_timeout");
    this.rqIdleTimeout = scope.counter("downstream_rq_idle_timeout");
    this.rqTime = scope.histogram("downstream_rq_time", "ms");
    this.noRoute = scope.counter("no_route");
    this.noCluster = scope.counter("no_cluster");
    this.#classes = [1, 2, 3, 4, 5].map((kind) =>
      scope.counter(`downstream_rq_${kind}xx`, { name: "downstream_rq_xx", tags: [["envoy_response_code_class", String(kind)]] }),
    );
  }

  /** Counts a finished request by its status class; 0 where no response was sent. */
  countCompleted(status: number): void {
    this.rqCompleted.inc();
    this.#classes[Math.floor(status / 100) - 1]?.inc();
  }
}
