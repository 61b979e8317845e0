// A steady stream of requests beside a test: an even rate, a few at a time, every outcome kept.

export interface Outcome {
  /** When it was sent, by performance.now(). */
  readonly sentAt: number;
  readonly ok: boolean;
  /** What the answer said, or what went wrong. */
  readonly what: string;
}

export interface StreamOptions {
  /** Resolves to what the answer says; rejects for a failed request. */
  readonly send: () => Promise<string>;
  readonly perSecond: number;
  /** At most so many wait for their answers; more are not sent until one has come. */
  readonly concurrency?: number;
}

export class RequestStream {
  readonly outcomes: Outcome[] = [];
  readonly #options: StreamOptions;
  readonly #timer: NodeJS.Timeout;
  #pending = new Set<Promise<void>>();

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#send(), 1000 / options.perSecond);
  }

  #send(): void {
    if (this.#pending.size >= (this.#options.concurrency ?? 8)) return;
    const sentAt = performance.now();
    const note = (ok: boolean, what: string): void => void this.outcomes.push({ sentAt, ok, what });
    const request = this.#options
      .send()
      .then(
        (what) => note(true, what),
        (error: Error) => note(false, error.message),
      )
      .finally(() => this.#pending.delete(request));
    this.#pending.add(request);
  }

  get failures(): Outcome[] {
    return this.outcomes.filter((each) => !each.ok);
  }

  /** Answers to what was sent since then, by performance.now(). */
  since(time: number): Outcome[] {
    return this.outcomes.filter((each) => each.sentAt >= time);
  }

  /** Resolves when the last answer is there. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
  }
}
