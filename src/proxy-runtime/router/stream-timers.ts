// The times that a router keeps for one request: how long each may be, and what is running. Entries are made when first
// needed: most requests need few.
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
  /** From the head of a gRPC call to the end of the response. */
  deadline: 5,
} as const;

export class StreamTimers {
  /** Durations; 0 none. */
  routeMs = 0;
  idleMs = 0;
  perTryMs = 0;
  requestMs = 0;
  deadlineMs = 0;
  readonly #timers: Timers;
  readonly #owner: TimerOwner;
  #route: TimerEntry | undefined = undefined;
  #idle: TimerEntry | undefined = undefined;
  #try: TimerEntry | undefined = undefined;
  #backoff: TimerEntry | undefined = undefined;
  #request: TimerEntry | undefined = undefined;
  #deadline: TimerEntry | undefined = undefined;

  constructor(timers: Timers, owner: TimerOwner) {
    this.#timers = timers;
    this.#owner = owner;
  }

  /** The head has come, and more is to come unless `end`. `now` is a reading of performance.now(). */
  onRequestHead(end: boolean, now: number): void {
    if (this.idleMs > 0) this.#timers.arm((this.#idle ??= new TimerEntry(this.#owner, Timer.idle)), this.idleMs, now);
    if (this.deadlineMs > 0) this.#timers.arm((this.#deadline = new TimerEntry(this.#owner, Timer.deadline)), this.deadlineMs, now);
    if (end) this.onRequestEnd(now);
    else if (this.requestMs > 0) this.#timers.arm((this.#request = new TimerEntry(this.#owner, Timer.request)), this.requestMs, now);
  }

  onRequestEnd(now: number): void {
    if (this.#request !== undefined) this.#timers.disarm(this.#request);
    // Envoy: the route's time runs from the end of the request.
    if (this.routeMs > 0) this.#timers.arm((this.#route ??= new TimerEntry(this.#owner, Timer.route)), this.routeMs, now);
  }

  /** Bytes have moved. */
  onProgress(): void {
    if (this.idleMs > 0) this.#timers.arm((this.#idle ??= new TimerEntry(this.#owner, Timer.idle)), this.idleMs);
  }

  onTryStart(): void {
    if (this.perTryMs > 0) this.#timers.arm((this.#try ??= new TimerEntry(this.#owner, Timer.try)), this.perTryMs);
  }

  onTryOver(): void {
    if (this.#try !== undefined) this.#timers.disarm(this.#try);
  }

  startBackoff(durationMs: number): void {
    this.onTryOver();
    this.#timers.arm((this.#backoff ??= new TimerEntry(this.#owner, Timer.backoff)), durationMs);
  }

  get isBackingOff(): boolean {
    return this.#backoff?.isArmed === true;
  }

  disarmAll(): void {
    const timers = this.#timers;
    if (this.#route !== undefined) timers.disarm(this.#route);
    if (this.#idle !== undefined) timers.disarm(this.#idle);
    if (this.#try !== undefined) timers.disarm(this.#try);
    if (this.#backoff !== undefined) timers.disarm(this.#backoff);
    if (this.#request !== undefined) timers.disarm(this.#request);
    if (this.#deadline !== undefined) timers.disarm(this.#deadline);
  }
}
