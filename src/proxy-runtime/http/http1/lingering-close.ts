// How a server ends a connection behind its last response. That may still be on its way when more bytes arrive; closing on
// them would send a RST that takes the response along (RFC 9112 §9.6). So: FIN first, then read and drop until the client
// closes or time is up.
import type { Connection } from "../../transport/connection.ts";
import { TimerEntry, type Timers } from "../../transport/timers.ts";

export class LingeringClose {
  readonly #connection: Connection;
  readonly #timers: Timers;
  readonly #timeoutMs: number;
  #timer: TimerEntry | undefined = undefined;
  #unsentBytes = 0;

  constructor(connection: Connection, timers: Timers, timeoutMs: number) {
    this.#connection = connection;
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
  }

  /** Who receives the connection's bytes drops them from here on. */
  begin(): void {
    this.#connection.end();
    this.#connection.resume();
    this.#timers.arm((this.#timer = new TimerEntry({ onTimer: () => this.#onTimeout() }, 0)), this.#timeoutMs);
  }

  onClosed(): void {
    if (this.#timer !== undefined) this.#timers.disarm(this.#timer);
  }

  // Time counts from the last byte that went out, or a slow reader would lose the end of its response.
  #onTimeout(): void {
    const { unsentBytes } = this.#connection;
    if (unsentBytes === 0 || unsentBytes === this.#unsentBytes) {
      this.#connection.destroy();
      return;
    }
    this.#unsentBytes = unsentBytes;
    this.#timers.arm(this.#timer!, this.#timeoutMs);
  }
}
