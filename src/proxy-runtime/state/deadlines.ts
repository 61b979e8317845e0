// How long each name may be waited for. A name's time starts when it is first watched and is forgotten when it no longer is.
import type { Clock } from "../../common/clock.ts";

interface Deadline {
  isOver: boolean;
  readonly cancel: () => void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #onOver: () => void;
  readonly #kinds = new Map<string, Map<string, Deadline>>();

  constructor(clock: Clock, waitMs: number, onOver: () => void) {
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#onOver = onOver;
  }

  /** Exactly these names of a kind are waited for from now on. */
  watch(kind: string, names: readonly string[]): void {
    const wanted = new Set(names);
    const deadlines = this.#kinds.get(kind) ?? new Map<string, Deadline>();
    this.#kinds.set(kind, deadlines);
    for (const [name, deadline] of deadlines) {
      if (wanted.has(name)) continue;
      deadline.cancel();
      deadlines.delete(name);
    }
    for (const name of wanted) {
      if (!deadlines.has(name)) deadlines.set(name, this.#begin());
    }
  }

  /** Whether a watched name's time is up. */
  isOver(kind: string, name: string): boolean {
    return this.#kinds.get(kind)?.get(name)?.isOver ?? false;
  }

  clear(): void {
    for (const kind of [...this.#kinds.keys()]) this.watch(kind, []);
  }

  #begin(): Deadline {
    const deadline: Deadline = {
      isOver: false,
      cancel: this.#clock.after(this.#waitMs, () => {
        deadline.isOver = true;
        this.#onOver();
      }),
    };
    return deadline;
  }
}
