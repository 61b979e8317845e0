// Time as something handed in, so that what waits for hours can be tested in no time.

export interface Clock {
  /** Wall clock: milliseconds since 1970. */
  now(): number;
  /**
   * Calls back once, `delayMs` from now. At most 24 days; the machine's sleep does not count, so long waits are
   * made of short ones that look at now().
   * @returns cancels the call; harmless afterwards.
   */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs` of the given clock. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMs, resolve));
}
