// The times that a router keeps for one request. Entries are made when first needed: most requests need none.
import { TimerEntry, type TimerOwner, type Timers } from "../transport/timers.ts";

/** Kinds that the owner's onTimer is called with. */
export const Timer = {
  /** From the end of the request to the end of the response. */
  route: 0,
  /** Without a byte either way. */
  idle: 1,
  /** From the start of a try to its response's head. */
  try: 2,
  /** Before the next try. */
  backoff: 3,
  /** From the request's head to its last byte. */
  request: 4,
} as const;
export type Timer = (typeof Timer)[keyof typeof Timer];

export class StreamTimers {
  readonly #timers: Timers;
  readonly #owner: TimerOwner;
  readonly #entries: (TimerEntry | undefined)[] = [undefined, undefined, undefined, undefined, undefined];

  constructor(timers: Timers, owner: TimerOwner) {
    this.#timers = timers;
    this.#owner = owner;
  }

  /** Arms (again). `now` is a reading of performance.now(). */
  arm(kind: Timer, durationMs: number, now?: number): void {
    this.#timers.arm((this.#entries[kind] ??= new TimerEntry(this.#owner, kind)), durationMs, now);
  }

  disarm(kind: Timer): void {
    const entry = this.#entries[kind];
    if (entry !== undefined) this.#timers.disarm(entry);
  }

  isArmed(kind: Timer): boolean {
    return this.#entries[kind]?.isArmed === true;
  }

  disarmAll(): void {
    for (const entry of this.#entries) if (entry !== undefined) this.#timers.disarm(entry);
  }
}
