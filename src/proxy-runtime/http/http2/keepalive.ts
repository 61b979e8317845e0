// PINGs on a connection that may have died in silence (Envoy's connection_keepalive).
import { performance } from "node:perf_hooks";
import type { Http2Config } from "../../config/http2-config.ts";
import { TimerEntry, type Timers } from "../../transport/timers.ts";
import type { Http2Session } from "./session.ts";

const INTERVAL = 0;
const TIMEOUT = 1;
// Timers of one duration share a list: jitter comes in so many sizes.
const JITTER_STEPS = 16;
const PAYLOAD = Buffer.from("keepaliv");

export class Keepalive {
  readonly #session: Http2Session;
  readonly #config: Http2Config;
  readonly #timers: Timers;
  readonly #interval: TimerEntry | undefined;
  readonly #timeout: TimerEntry | undefined;
  #isStopped = false;
  /** When something came last, ms of performance.now(); kept where an idle connection is to be tried. */
  #activeAt = 0;

  constructor(session: Http2Session, config: Http2Config, timers: Timers) {
    this.#session = session;
    this.#config = config;
    this.#timers = timers;
    const { keepaliveIntervalMs, connectionIdleIntervalMs } = config;
    this.#interval = keepaliveIntervalMs > 0 ? new TimerEntry(this, INTERVAL) : undefined;
    this.#timeout = keepaliveIntervalMs > 0 || connectionIdleIntervalMs > 0 ? new TimerEntry(this, TIMEOUT) : undefined;
    if (connectionIdleIntervalMs > 0) this.#activeAt = performance.now();
    this.#armInterval();
  }

  /** Bytes came: the peer is there. */
  onActivity(): void {
    if (this.#timeout === undefined) return;
    if (this.#config.connectionIdleIntervalMs > 0) this.#activeAt = performance.now();
    if (!this.#timeout.isArmed) return;
    this.#timers.disarm(this.#timeout);
    this.#armInterval();
  }

  /** A stream is about to be opened: is anybody there? */
  onNewStream(): void {
    const { connectionIdleIntervalMs } = this.#config;
    if (connectionIdleIntervalMs > 0 && performance.now() - this.#activeAt >= connectionIdleIntervalMs) this.#ping();
  }

  onTimer(kind: number): void {
    if (kind === INTERVAL) return this.#ping();
    this.#session.stats.count("keepalive_timeout");
    this.#session.connection.destroy();
  }

  #ping(): void {
    if (this.#isStopped || this.#timeout!.isArmed) return;
    this.#session.output.frames.ping(0, PAYLOAD, 0);
    this.#timers.arm(this.#timeout!, this.#config.keepaliveTimeoutMs);
  }

  #armInterval(): void {
    if (this.#interval === undefined || this.#isStopped) return;
    const { keepaliveIntervalMs, keepaliveJitterPercent } = this.#config;
    const step = Math.floor(Math.random() * (JITTER_STEPS + 1)) / JITTER_STEPS;
    this.#timers.arm(this.#interval, Math.round(keepaliveIntervalMs * (1 + (step * keepaliveJitterPercent) / 100)));
  }

  /** Nothing more can be sent, or come. */
  stop(): void {
    this.#isStopped = true;
    if (this.#interval !== undefined) this.#timers.disarm(this.#interval);
    if (this.#timeout !== undefined) this.#timers.disarm(this.#timeout);
  }
}
