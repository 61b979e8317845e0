// Requests that may be sent again: reads, and applies, which make the same of an object however often they come.
import { Backoff } from "../common/backoff.ts";
import { sleep } from "../common/clock.ts";
import type { Clock } from "../common/clock.ts";
import { fromThrown } from "./api-error.ts";

const ATTEMPTS = 4;
const BACKOFF = { initialMs: 500, maxMs: 4000 };
/** Whoever asks for more is not waited for. */
const MAX_RETRY_AFTER_MS = 10_000;
/** Too many requests; and what load balancers say while an API server restarts behind them. */
const TRANSIENT: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * Asks again when the connection broke off or the server was busy; not when it was too slow, as a person waits.
 * @throws ApiError the last one.
 */
export async function retried<T>(clock: Clock, ask: () => Promise<T>): Promise<T> {
  const backoff = new Backoff(BACKOFF);
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (thrown) {
      const error = fromThrown(thrown);
      const isTransient = TRANSIENT.has(error.code) || (error.code === 0 && !error.message.startsWith("no answer within"));
      if (!isTransient || attempt === ATTEMPTS) throw error;
      await sleep(clock, Math.max(backoff.next(), Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)));
    }
  }
}
