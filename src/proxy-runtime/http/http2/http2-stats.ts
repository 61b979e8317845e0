// What one side's HTTP/2 connections count, under Envoy's names (`http2.rx_reset`). All of it is rare, so a counter is made
// when it first counts: a proxy has thousands of clusters.
import type { Counter } from "../../telemetry/stats-store.ts";

export type Http2Counter =
  /** Heads and trailers beyond what we take. */
  | "header_overflow"
  | "inbound_empty_frames_flood"
  | "inbound_priority_frames_flood"
  | "inbound_window_update_frames_flood"
  /** Replies to PING and SETTINGS, and resets, that were asked for too fast or not read. */
  | "outbound_control_flood"
  | "outbound_flood"
  | "keepalive_timeout"
  /** Streams whose client has taken nothing of the rest of a whole answer. */
  | "tx_flush_timeout"
  | "rx_messaging_error"
  | "rx_reset"
  | "tx_reset"
  | "stream_refused_errors"
  | "goaway_sent";

export class Http2Stats {
  readonly #make: (name: Http2Counter) => Counter;
  readonly #counters = new Map<Http2Counter, Counter>();

  /** @param make a counter of the cluster's, or of all listeners'. */
  constructor(make: (name: Http2Counter) => Counter) {
    this.#make = make;
  }

  count(name: Http2Counter): void {
    let counter = this.#counters.get(name);
    if (counter === undefined) this.#counters.set(name, (counter = this.#make(name)));
    counter.inc();
  }
}
