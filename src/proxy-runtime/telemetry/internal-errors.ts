// Bugs of ours that came up while a connection was served: all are counted, each message is logged once, with its stack.
import type { Counter, StatsStore } from "./stats-store.ts";

/** Messages remembered at most: one that carries a name or a number is a new one each time. */
const MAX_MESSAGES = 64;

export class InternalErrors {
  readonly #log: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly #count: Counter;
  readonly #seen = new Set<string>();

  constructor(store: StatsStore, log: (message: string, fields: Readonly<Record<string, unknown>>) => void) {
    this.#log = log;
    this.#count = store.counter("meshctl.internal_errors", "meshctl_internal_errors", []);
  }

  note(thrown: unknown): void {
    this.#count.inc();
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (this.#seen.has(message) || this.#seen.size >= MAX_MESSAGES) return;
    this.#seen.add(message);
    this.#log("a bug in meshctl ended a connection; please report it", {
      reason: message,
      stack: thrown instanceof Error ? thrown.stack : undefined,
    });
  }
}
