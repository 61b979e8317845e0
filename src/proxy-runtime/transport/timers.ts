// Timers for requests and connections: very many, of few distinct durations, nearly always cancelled. Entries of one
// duration expire in the order in which they were armed, so each duration is a linked list with one Node timer at its
// head; arming and disarming touch a few pointers. One that is armed again for as long only notes its new deadline, and is
// looked at when the old one comes. A timer fires up to one millisecond late, or 1/256 of its time where it was armed again;
// never early. After a turn that has kept the loop for long, what has arrived meanwhile is read before time is up: the answer
// that somebody waits for may be among it.
import { performance } from "node:perf_hooks";
import { turnNow } from "./turn-clock.ts";

/** Who is told that time is up. `kind` is the one the entry was made with: an owner may have several. */
export interface TimerOwner {
  onTimer(kind: number): void;
}

/** An entry; its owner keeps it and arms it again and again. Fires once per arming, unless disarmed. */
export class TimerEntry {
  readonly owner: TimerOwner;
  readonly kind: number;
  previous: TimerEntry | undefined = undefined;
  next: TimerEntry | undefined = undefined;
  list: TimerList | undefined = undefined;
  /** When its list looks at it; not after the deadline. */
  due = 0;
  /** Infinity while it is suspended. */
  deadline = 0;

  constructor(owner: TimerOwner, kind: number) {
    this.owner = owner;
    this.kind = kind;
  }

  get isArmed(): boolean {
    return this.list !== undefined && this.deadline !== Infinity;
  }
}

// setTimeout fires at once for more (24.8 days); the list is then looked at early and waits on.
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Later than this, and the loop was busy with something else. */
const LATE_MS = 20;

class TimerList {
  readonly durationMs: number;
  readonly #onThrown: (thrown: unknown) => void;
  readonly #onEmpty: (durationMs: number) => void;
  readonly #onEarly: (entry: TimerEntry, now: number, durationMs: number) => void;
  readonly #anchor: TimerEntry;
  #timer: NodeJS.Timeout | undefined = undefined;
  /** When the timer should fire, ms of performance.now(). */
  #scheduledFor = 0;

  constructor(
    durationMs: number,
    onThrown: (thrown: unknown) => void,
    onEmpty: (durationMs: number) => void,
    onEarly: (entry: TimerEntry, now: number, durationMs: number) => void,
  ) {
    this.#onEarly = onEarly;
    this.durationMs = durationMs;
    this.#onThrown = onThrown;
    this.#onEmpty = onEmpty;
    this.#anchor = new TimerEntry({ onTimer: () => undefined }, 0);
    this.#anchor.previous = this.#anchor;
    this.#anchor.next = this.#anchor;
  }

  push(entry: TimerEntry, now: number): void {
    const last = this.#anchor.previous!;
    entry.list = this;
    entry.deadline = entry.due = now + this.durationMs;
    entry.previous = last;
    entry.next = this.#anchor;
    last.next = entry;
    this.#anchor.previous = entry;
    this.#timer ??= this.#schedule(this.durationMs, now);
  }

  remove(entry: TimerEntry): void {
    entry.previous!.next = entry.next;
    entry.next!.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    entry.list = undefined;
  }

  // libuv runs timers before it polls (uv_run), and immediates behind it.
  readonly #onTime = (): void => {
    if (performance.now() - this.#scheduledFor > LATE_MS) setImmediate(this.#expire);
    else this.#expire();
  };

  // The timer that fired stays in #timer until the end, so that owners who arm again in onTimer don't start a second one.
  readonly #expire = (): void => {
    const now = performance.now();
    let head = this.#anchor.next!;
    while (head !== this.#anchor && head.due <= now) {
      this.remove(head);
      if (head.deadline <= now) this.#fire(head);
      else if (head.deadline < Infinity) this.#onEarly(head, now, this.durationMs);
      head = this.#anchor.next!;
    }
    if (head === this.#anchor) this.#onEmpty(this.durationMs);
    else this.#timer = this.#schedule(head.due - now, now);
  };

  #fire(entry: TimerEntry): void {
    try {
      entry.owner.onTimer(entry.kind);
    } catch (thrown) {
      this.#onThrown(thrown);
    }
  }

  #schedule(delayMs: number, now: number): NodeJS.Timeout {
    const waitMs = Math.min(Math.ceil(delayMs), MAX_DELAY_MS);
    this.#scheduledFor = now + waitMs;
    // An idle proxy with nothing but timers may exit.
    return setTimeout(this.#onTime, waitMs).unref();
  }
}

/** What is left of a time that was begun again is rounded up to this part of it, so that few lists are needed. */
const STEPS = 256;

export class Timers {
  readonly #lists = new Map<number, TimerList>();
  // Deadlines of gRPC calls come in any number of durations.
  readonly #drop = (durationMs: number): void => void this.#lists.delete(durationMs);
  readonly #onThrown: (thrown: unknown) => void;

  /** @param onThrown told what an owner threw; the others get their call all the same. */
  constructor(onThrown: (thrown: unknown) => void = rethrow) {
    this.#onThrown = onThrown;
  }

  /** Arms (again) an entry for durationMs from `now`, a reading of performance.now() that the caller may have at hand. */
  arm(entry: TimerEntry, durationMs: number, now: number = turnNow()): void {
    const before = entry.list;
    if (before !== undefined) {
      if (before.durationMs === durationMs) {
        entry.deadline = now + durationMs;
        return;
      }
      before.remove(entry);
    }
    this.#listOf(durationMs).push(entry, now);
  }

  #listOf(durationMs: number): TimerList {
    let list = this.#lists.get(durationMs);
    if (list === undefined) this.#lists.set(durationMs, (list = new TimerList(durationMs, this.#onThrown, this.#drop, this.#onEarly)));
    return list;
  }

  // Its list has looked at it, and it was armed again meanwhile.
  readonly #onEarly = (entry: TimerEntry, now: number, durationMs: number): void => {
    const { deadline } = entry;
    const step = Math.max(1, Math.floor(durationMs / STEPS));
    this.#listOf(Math.ceil((deadline - now) / step) * step).push(entry, now);
    entry.deadline = deadline;
  };

  /**
   * As disarm, for an entry that its owner keeps and will arm again soon: costs next to nothing, and the entry stays
   * reachable until its time is over.
   */
  suspend(entry: TimerEntry): void {
    entry.deadline = Infinity;
  }

  disarm(entry: TimerEntry): void {
    entry.list?.remove(entry);
  }
}

function rethrow(thrown: unknown): never {
  throw thrown;
}
