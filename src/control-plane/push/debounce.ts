// Many changes in a short time become one: fires after a quiet while, or at the latest after a longer one.
import type { Clock } from "../../common/clock.ts";

export interface DebounceOptions {
  readonly clock: Clock;
  readonly quietMs: number;
  readonly maxMs: number;
  readonly fire: () => void;
}

export class Debounce {
  readonly #options: DebounceOptions;
  #firstMs: number | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: DebounceOptions) {
    this.#options = options;
  }

  trigger(): void {
    const { clock, quietMs, maxMs, fire } = this.#options;
    const now = clock.now();
    this.#firstMs ??= now;
    this.#cancel?.();
    const waitMs = Math.max(0, Math.min(quietMs, this.#firstMs + maxMs - now));
    this.#cancel = clock.after(waitMs, () => {
      this.#firstMs = undefined;
      this.#cancel = undefined;
      fire();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#firstMs = undefined;
  }
}
