// Whether a failed attempt is tried again: Envoy's retry_on words, the number of retries and the back-off between them.
import type { RetryPolicy } from "../config/route-config.ts";
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";

// RFC 9110 §9.2.2.
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

export class RetryState {
  readonly #policy: RetryPolicy | undefined;
  readonly #method: string;
  #left: number;
  #retries = 0;
  #staleRetried = false;

  constructor(policy: RetryPolicy | undefined, method: string) {
    this.#policy = policy;
    this.#method = method;
    this.#left = policy?.numRetries ?? 0;
  }

  /**
   * A reused connection that dies without a byte of response was closed by the host while idle, most likely: the
   * request was not seen, and where repeating it does no harm it goes out once more (RFC 9112 §9.3.1), whatever the policy.
   */
  takesStaleRetry(cause: Cause): boolean {
    if (this.#staleRetried || (cause !== Causes.upstreamClosed && cause !== Causes.upstreamReset) || !IDEMPOTENT.has(this.#method))
      return false;
    this.#staleRetried = true;
    return true;
  }

  /** After a failure before any response; takes one of the retries. */
  takesRetryFor(cause: Cause): boolean {
    if (!this.#wants(cause)) return false;
    return this.#take();
  }

  /**
   * After a response; takes one of the retries.
   * @param meshError `x-mesh-error` of a server's sidecar: `UF` says that it could not reach its application, which is as
   *   good as a refused connection; nobody has seen the request.
   */
  takesRetryForResponse(status: number, meshError: string | undefined): boolean {
    const policy = this.#policy;
    if (policy === undefined) return false;
    if (meshError?.startsWith("UF;") === true && this.#wants(Causes.connectFailure)) return this.#take();
    const wanted = policy.retryOn.some(
      (word) =>
        (word === "5xx" && status >= 500) ||
        (word === "gateway-error" && status >= 502 && status <= 504) ||
        (word === "retriable-4xx" && status === 409) ||
        (word === "retriable-status-codes" && policy.retriableStatusCodes.includes(status)),
    );
    return wanted && this.#take();
  }

  /** True where retries were allowed and have been used up. */
  get isExhausted(): boolean {
    return this.#policy !== undefined && this.#retries > 0 && this.#left === 0;
  }

  /** Milliseconds to wait before the retry just taken: anything up to (2^n − 1) × base, at most the maximum (full jitter). */
  backoffMs(random: number): number {
    const policy = this.#policy!;
    return random * Math.min(policy.backoffMaxMs, (2 ** this.#retries - 1) * policy.backoffBaseMs);
  }

  #take(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    this.#retries += 1;
    return true;
  }

  #wants(cause: Cause): boolean {
    const words = this.#policy?.retryOn;
    if (words === undefined || cause === Causes.upstreamOverflow || cause === Causes.upstreamTimeout) return false;
    const connect = cause.flag === "UF";
    return words.some(
      (word) =>
        word === "5xx" ||
        word === "gateway-error" ||
        word === "reset" ||
        (word === "connect-failure" && connect) ||
        (word === "reset-before-request" && connect),
    );
  }
}
