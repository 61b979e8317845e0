// Ends a stream in order when it is old: its proxy comes back at once, to whichever replica the Service chooses, so that
// new replicas get their share, and shows its credentials again.
import type { Clock } from "../../common/clock.ts";

/** Istio's chart: keepaliveMaxServerConnectionAge. */
const MAX_AGE_MS = 30 * 60_000;
/** Either way: those that came together don't go together. */
const JITTER = 0.1;

interface Stream {
  close(): void;
}

export class StreamAges {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #cancels = new Map<Stream, () => void>();

  /** @param random uniform in [0, 1). */
  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  opened(stream: Stream): void {
    const ageMs = MAX_AGE_MS * (1 - JITTER + 2 * JITTER * this.#random());
    this.#cancels.set(
      stream,
      this.#clock.after(ageMs, () => stream.close()),
    );
  }

  closed(stream: Stream): void {
    this.#cancels.get(stream)?.();
    this.#cancels.delete(stream);
  }
}
