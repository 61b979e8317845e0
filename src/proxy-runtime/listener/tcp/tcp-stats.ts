// Counters of one TCP proxy under Envoy's names.
import type { Counter, Gauge, StatsStore } from "../../telemetry/stats-store.ts";

export class TcpStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxNoRoute: Counter;
  readonly rxBytes: Counter;
  readonly txBytes: Counter;
  readonly pausedReading: Counter;
  readonly resumedReading: Counter;
  readonly idleTimeout: Counter;
  readonly maxDownstreamConnectionDuration: Counter;

  constructor(store: StatsStore, prefix: string) {
    const scope = store.scope("tcp.", prefix, "envoy_tcp_", "envoy_tcp_prefix");
    this.cxTotal = scope.counter("downstream_cx_total");
    this.cxActive = scope.gauge("downstream_cx_active");
    this.cxNoRoute = scope.counter("downstream_cx_no_route");
    this.rxBytes = scope.counter("downstream_cx_rx_bytes_total");
    this.txBytes = scope.counter("downstream_cx_tx_bytes_total");
    this.pausedReading = scope.counter("downstream_flow_control_paused_reading_total");
    this.resumedReading = scope.counter("downstream_flow_control_resumed_reading_total");
    this.idleTimeout = scope.counter("idle_timeout");
    this.maxDownstreamConnectionDuration = scope.counter("max_downstream_connection_duration");
  }
}
