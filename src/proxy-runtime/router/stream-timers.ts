// The times that a router keeps for one request: how long each may be, and what is running. Nearly every request has a
// route's time and an idle time, which share one entry; the others are made when first needed.
import { TimerEntry, type TimerOwner, type Timers } from "../transport/timers.ts";
import { turnNow } from "../transport/turn-clock.ts";

/** Kinds that the owner's onTimer is called with. */
export const Timer = {
  /** From the end of the request to the end of the response. */
  route: 0,
  /** Without a byte either way. */
  idle: 1,
  /** From when a try and the request are whole to the head of the response. */
  try: 2,
  /** Before the next try. */
  backoff: 3,
  /** From the request's head to its last byte. */
  request: 4,
  /** From the head of a gRPC call to the end of the response. */
  deadline: 5,
  /** From the request's head to the end of the response. */
  duration: 6,
  /** Of a try: without a byte from or to the host. */
  tryIdle: 7,
  /** Of a try: from when the host was reached to the end of the response. */
  tryDuration: 8,
} as const;

/** Of the entry that route and idle time share. */
const MAIN = -1;

export class StreamTimers implements TimerOwner {
  /** Durations; 0 none. */
  routeMs = 0;
  idleMs = 0;
  perTryMs = 0;
  requestMs = 0;
  deadlineMs = 0;
  durationMs = 0;
  perTryIdleMs = 0;
  tryDurationMs = 0;
  readonly #timers: Timers;
  readonly #owner: TimerOwner;
  #main: TimerEntry | undefined = undefined;
  /** When the route's and the idle time are over, in ms of performance.now(). */
  #routeAt = Infinity;
  #idleAt = Infinity;
  #try: TimerEntry | undefined = undefined;
  #backoff: TimerEntry | undefined = undefined;
  /** Those that hardly any request has. */
  #rare: TimerEntry[] | undefined = undefined;
  #requestEnded = false;
  #isTrying = false;

  constructor(timers: Timers, owner: TimerOwner) {
    this.#timers = timers;
    this.#owner = owner;
  }

  /** The head has come, and more is to come unless `end`. `now` is a reading of performance.now(). */
  onRequestHead(end: boolean, now: number): void {
    if (this.idleMs > 0) this.#idleAt = now + this.idleMs;
    if (this.deadlineMs > 0) this.#armRare(Timer.deadline, this.deadlineMs, now);
    if (this.durationMs > 0) this.#armRare(Timer.duration, this.durationMs, now);
    if (end) this.onRequestEnd(now);
    else this.#armMain(now);
    if (!end && this.requestMs > 0) this.#armRare(Timer.request, this.requestMs, now);
  }

  onRequestEnd(now: number): void {
    this.#requestEnded = true;
    if (this.#rare !== undefined) this.#disarmRare(Timer.request);
    // Envoy: the route's time and a try's run from the end of the request.
    if (this.routeMs > 0) this.#routeAt = now + this.routeMs;
    this.#armMain(now);
    if (this.#isTrying) this.#armTry();
  }

  /** For whichever comes first. */
  #armMain(now: number): void {
    const isRoute = this.#routeAt < this.#idleAt;
    if (!isRoute && this.#idleAt === Infinity) return;
    this.#timers.arm((this.#main ??= new TimerEntry(this, MAIN)), isRoute ? this.routeMs : this.idleMs, now);
  }

  onTimer(): void {
    const now = turnNow();
    if (this.#routeAt <= now) return this.#owner.onTimer(Timer.route);
    if (this.#idleAt <= now) return this.#owner.onTimer(Timer.idle);
    const next = Math.min(this.#routeAt, this.#idleAt);
    if (next < Infinity) this.#timers.arm(this.#main!, Math.ceil(next - now), now);
  }

  /** Bytes have moved. */
  onProgress(): void {
    if (this.idleMs > 0) this.#idleAt = turnNow() + this.idleMs;
    if (this.perTryIdleMs > 0 && this.#isTrying) this.#armRare(Timer.tryIdle, this.perTryIdleMs);
  }

  /** A host was reached. */
  onTryStart(): void {
    this.#isTrying = true;
    if (this.#requestEnded) this.#armTry();
    if (this.perTryIdleMs > 0) this.#armRare(Timer.tryIdle, this.perTryIdleMs);
    if (this.tryDurationMs > 0) this.#armRare(Timer.tryDuration, this.tryDurationMs);
  }

  #armTry(): void {
    if (this.perTryMs > 0) this.#timers.arm((this.#try ??= new TimerEntry(this.#owner, Timer.try)), this.perTryMs);
  }

  /** The head of the response that stands has come. */
  onResponse(): void {
    if (this.#try !== undefined) this.#timers.disarm(this.#try);
    if (this.perTryIdleMs > 0) this.#armRare(Timer.tryIdle, this.perTryIdleMs);
  }

  onTryOver(): void {
    this.#isTrying = false;
    if (this.#try !== undefined) this.#timers.disarm(this.#try);
    if (this.#rare === undefined) return;
    this.#disarmRare(Timer.tryIdle);
    this.#disarmRare(Timer.tryDuration);
  }

  /** The streams are byte pipes now: their idleness ends them, or the longest time that any stream may have. */
  onTunnel(): void {
    this.onTryOver();
    this.#routeAt = Infinity;
    this.#armMain(turnNow());
  }

  startBackoff(durationMs: number): void {
    this.#timers.arm((this.#backoff ??= new TimerEntry(this.#owner, Timer.backoff)), durationMs);
  }

  /**
   * What a host may be told that it has: as long as a try may take, and no longer than is left of the route's time (Envoy's
   * x-envoy-expected-rq-timeout-ms); 0 without limit.
   * @param elapsedMs since the end of the request.
   */
  expectedMs(elapsedMs: number): number {
    const expected = this.perTryMs > 0 ? this.perTryMs : this.routeMs;
    return this.routeMs === 0 ? expected : Math.max(1, Math.min(expected, this.routeMs - Math.floor(elapsedMs)));
  }

  disarmAll(): void {
    const timers = this.#timers;
    this.#isTrying = false;
    if (this.#main !== undefined) timers.disarm(this.#main);
    if (this.#try !== undefined) timers.disarm(this.#try);
    if (this.#backoff !== undefined) timers.disarm(this.#backoff);
    if (this.#rare !== undefined) for (const entry of this.#rare) timers.disarm(entry);
  }

  #armRare(kind: number, durationMs: number, now?: number): void {
    const rare = (this.#rare ??= []);
    let entry = rare.find((each) => each.kind === kind);
    if (entry === undefined) rare.push((entry = new TimerEntry(this.#owner, kind)));
    this.#timers.arm(entry, durationMs, now);
  }

  #disarmRare(kind: number): void {
    const entry = this.#rare!.find((each) => each.kind === kind);
    if (entry !== undefined) this.#timers.disarm(entry);
  }
}
