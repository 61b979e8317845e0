// The retries of one request: how many are left, and how long to wait before each.
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { RetryConditions } from "./retry-conditions.ts";

// RFC 9110 §9.2.2.
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

const MAX_REFUSALS = 3;

/** `exhausted`: it would be tried again if there were a retry left. */
export type RetryDecision = "no" | "yes" | "exhausted";

export class RetryState {
  readonly #conditions: RetryConditions | undefined;
  readonly #method: string;
  #left: number;
  #retries = 0;
  #isStaleRetried = false;
  #refusals = 0;

  /** @param conditions undefined where the request is not tried again by any policy. */
  constructor(conditions: RetryConditions | undefined, method: string) {
    this.#conditions = conditions;
    this.#method = method;
    this.#left = conditions?.policy.numRetries ?? 0;
  }

  /**
   * A request that the host has not looked at goes out again at once, whatever the policy: one that it refused in so many
   * words (RFC 9113 §8.7) a few times, as several connections may say goodbye one after the other; once one on a reused
   * connection that dies without a byte of response. That was closed while idle, most likely; so the request must be one
   * that may be repeated (RFC 9112 §9.3.1).
   */
  takesUnseenRetry(cause: Cause, reused: boolean): boolean {
    if (cause === Causes.upstreamRefused) {
      this.#refusals += 1;
      return this.#refusals <= MAX_REFUSALS;
    }
    const isStale = reused && (cause === Causes.upstreamClosed || cause === Causes.upstreamReset) && IDEMPOTENT.has(this.#method);
    if (!isStale || this.#isStaleRetried) return false;
    this.#isStaleRetried = true;
    return true;
  }

  /** After a failure before any response; a `yes` takes one of the retries. */
  decideFailure(cause: Cause): RetryDecision {
    return this.#conditions?.wantsFailure(cause) === true ? this.#take() : "no";
  }

  /**
   * After a response; a `yes` takes one of the retries.
   * @param meshError `x-mesh-error` of a server's sidecar: `UF` says that it could not reach its application, which is as
   *   good as a refused connection; nobody has seen the request.
   */
  decideResponse(status: number, headers: HeaderList, meshError: string | undefined): RetryDecision {
    const conditions = this.#conditions;
    if (conditions === undefined) return "no";
    const isUnreached = meshError !== undefined && /^UF[;,]/.test(meshError);
    const wanted = conditions.wantsResponse(status, headers) || (isUnreached && conditions.wantsFailure(Causes.connectFailure));
    return wanted ? this.#take() : "no";
  }

  /** Milliseconds to wait before the retry just taken: anything up to (2^n − 1) × base, at most the maximum (full jitter). */
  backoffMs(random: number): number {
    const { backoffBaseMs, backoffMaxMs } = this.#conditions!.policy;
    return random * Math.min(backoffMaxMs, (2 ** this.#retries - 1) * backoffBaseMs);
  }

  /**
   * The same, where the response just refused says when to come again: that time and up to half as much (Envoy's jitter).
   * undefined where it says nothing, or more than is believed.
   * @param wallMs ms since 1970.
   */
  rateLimitedMs(headers: HeaderList, random: number, wallMs: number): number | undefined {
    const backoff = this.#conditions!.policy.rateLimitedBackoff;
    if (backoff === undefined) return undefined;
    for (const { name, format } of backoff.headers) {
      const text = headers.getByName(name);
      if (text === undefined || !/^\d{1,15}$/.test(text)) continue;
      const waitMs = format === "seconds" ? Number(text) * 1000 : Number(text) * 1000 - wallMs;
      if (waitMs > 0 && waitMs <= backoff.maxMs) return waitMs * (1 + random / 2);
    }
    return undefined;
  }

  #take(): RetryDecision {
    if (this.#left === 0) return "exhausted";
    this.#left -= 1;
    this.#retries += 1;
    return "yes";
  }
}
