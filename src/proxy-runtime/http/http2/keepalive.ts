// PINGs on a connection that may have died in silence (Envoy's connection_keepalive).
import type { Http2Config } from "../../config/http2-config.ts";
import { TimerEntry, type Timers } from "../../transport/timers.ts";
import type { Http2Session } from "./session.ts";

const INTERVAL = 0;
const TIMEOUT = 1;
const PAYLOAD = Buffer.from("keepaliv");

export class Keepalive {
  readonly #session: Http2Session;
  readonly #config: Http2Config;
  readonly #timers: Timers;
  readonly #interval: TimerEntry | undefined;
  readonly #timeout: TimerEntry | undefined;

  constructor(session: Http2Session, config: Http2Config, timers: Timers) {
    this.#session = session;
    this.#config = config;
    this.#timers = timers;
    const isOn = config.keepaliveIntervalMs > 0;
    this.#interval = isOn ? new TimerEntry(this, INTERVAL) : undefined;
    this.#timeout = isOn ? new TimerEntry(this, TIMEOUT) : undefined;
    if (this.#interval !== undefined) timers.arm(this.#interval, config.keepaliveIntervalMs);
  }

  /** Bytes came: the peer is there. */
  onActivity(): void {
    if (this.#timeout?.isArmed === true) this.onPingAck();
  }

  onPingAck(): void {
    if (this.#timeout === undefined || !this.#timeout.isArmed) return;
    this.#timers.disarm(this.#timeout);
    this.#timers.arm(this.#interval!, this.#config.keepaliveIntervalMs);
  }

  onTimer(kind: number): void {
    if (kind === TIMEOUT) return this.#session.connection.destroy();
    this.#session.output.frames.ping(0, PAYLOAD, 0);
    this.#timers.arm(this.#timeout!, this.#config.keepaliveTimeoutMs);
  }

  stop(): void {
    if (this.#interval !== undefined) this.#timers.disarm(this.#interval);
    if (this.#timeout !== undefined) this.#timers.disarm(this.#timeout);
  }
}
