// What the log says about connections that a listener turned away: the first of a kind at once, further ones counted and
// told once a minute, so that neither a policy's "no" goes unseen nor a stubborn client fills the disk.

import type { Cause } from "../failure/cause.ts";

/** One refused connection. Addresses as `ip:port`, of IPv6 as `[ip]:port`. */
export interface Refusal {
  readonly listener: string;
  readonly remote: string;
  readonly remoteIp: string;
  readonly local: string;
  readonly reason: string;
  readonly cause: Cause;
}

const REPEAT_MS = 60_000;
/** Kinds remembered at most: an attacker chooses addresses freely. */
const MAX_KINDS = 256;

interface Kind {
  saidAtMs: number;
  unsaid: number;
}

export class RefusalLog {
  readonly #log: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly #nowMs: () => number;
  readonly #kinds = new Map<string, Kind>();

  /** @param nowMs a clock that never goes back. */
  constructor(log: (message: string, fields: Readonly<Record<string, unknown>>) => void, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  note({ listener, remote, remoteIp, local, reason, cause }: Refusal): void {
    const key = `${listener} ${remoteIp} ${reason}`;
    const now = this.#nowMs();
    const known = this.#kinds.get(key);
    if (known !== undefined && now - known.saidAtMs < REPEAT_MS) {
      known.unsaid += 1;
      return;
    }
    this.#log("connection refused", {
      listener,
      remote,
      local,
      reason,
      flag: cause.flag,
      by: cause.blame,
      ...(known?.unsaid ? { refusedBefore: known.unsaid } : {}),
    });
    // Again at the end, so that the first ones are those longest unheard of.
    this.#kinds.delete(key);
    this.#kinds.set(key, { saidAtMs: now, unsaid: 0 });
    if (this.#kinds.size > MAX_KINDS) this.#kinds.delete(this.#kinds.keys().next().value!);
  }
}
