// How long to wait before the next try: exponential with full jitter, so that clients which failed together come
// back apart (Envoy's JitteredExponentialBackOffStrategy).

export interface BackoffOptions {
  /** Upper bound of the first delay; it doubles with each failure. */
  readonly initialMs: number;
  /** No delay is longer. */
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor({ initialMs, maxMs, random = Math.random }: BackoffOptions) {
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  /** Counts one more failure and gives the delay before the next try, in ms. */
  next(): number {
    const boundMs = Math.min(this.#maxMs, this.#initialMs * 2 ** this.#failures);
    this.#failures++;
    return this.#random() * boundMs;
  }

  /** After a success: the next delay is a first one again. */
  reset(): void {
    this.#failures = 0;
  }
}
