// Counters of one listener under Envoy's names.
import type { Counter, Gauge, StatsStore } from "../telemetry/stats-store.ts";
import type { TlsFailure } from "../transport/tls-server.ts";

export class ListenerStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxDestroy: Counter;
  /** Being looked at. */
  readonly preCxActive: Gauge;
  readonly preCxTimeout: Counter;
  readonly noFilterChainMatch: Counter;
  readonly sslHandshake: Counter;
  readonly sslConnectionError: Counter;
  readonly #failures: Readonly<Record<TlsFailure, Counter>>;

  constructor(store: StatsStore, prefix: string) {
    const scope = store.scope("listener.", prefix, "envoy_listener_", "envoy_listener_address");
    this.cxTotal = scope.counter("downstream_cx_total");
    this.cxActive = scope.gauge("downstream_cx_active");
    this.cxDestroy = scope.counter("downstream_cx_destroy");
    this.preCxActive = scope.gauge("downstream_pre_cx_active");
    this.preCxTimeout = scope.counter("downstream_pre_cx_timeout");
    this.noFilterChainMatch = scope.counter("no_filter_chain_match");
    this.sslHandshake = scope.counter("ssl.handshake");
    this.sslConnectionError = scope.counter("ssl.connection_error");
    const verifyError = scope.counter("ssl.fail_verify_error");
    this.#failures = {
      missing_secret: scope.counter("server_ssl_socket_factory.downstream_context_secrets_not_ready"),
      handshake_failed: this.sslConnectionError,
      no_certificate: scope.counter("ssl.fail_verify_no_cert"),
      verify_failed: verifyError,
      san_mismatch: scope.counter("ssl.fail_verify_san"),
      timeout: this.sslConnectionError,
      closed: this.sslConnectionError,
    };
  }

  countTlsFailure(failure: TlsFailure): void {
    this.#failures[failure].inc();
  }
}
