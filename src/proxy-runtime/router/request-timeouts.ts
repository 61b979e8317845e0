// How long a request may take: what its route says, and what it asks for in headers, which only internal requests still
// have here (Envoy's router headers).
import type { RetryPolicy, RouteAction } from "../config/route-config.ts";
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import { HeaderId } from "../http/header-id.ts";
import { HeaderMask, type HeaderList } from "../http/header-list.ts";
import type { RouterContext } from "./router-context.ts";
import type { StreamTimers } from "./stream-timers.ts";

const TIMEOUT = HeaderId["x-envoy-upstream-rq-timeout-ms"];
const PER_TRY_TIMEOUT = HeaderId["x-envoy-upstream-rq-per-try-timeout-ms"];
const EXPECTED_TIMEOUT = HeaderId["x-envoy-expected-rq-timeout-ms"];
const STREAM_DURATION = HeaderId["x-envoy-upstream-stream-duration-ms"];
const ALTERNATIVE_RESPONSE = HeaderId["x-envoy-upstream-rq-timeout-alt-response"];

/** Requests without any of them have nothing to say here. */
export const TIMEOUT_HEADERS = new HeaderMask([TIMEOUT, PER_TRY_TIMEOUT, EXPECTED_TIMEOUT, STREAM_DURATION, ALTERNATIVE_RESPONSE]);

export function setTimeouts(
  timers: StreamTimers,
  action: RouteAction & { kind: "route" },
  policy: RetryPolicy | undefined,
  tryDurationMs: number,
  context: RouterContext,
): void {
  timers.routeMs = action.timeoutMs;
  timers.idleMs = action.idleTimeoutMs ?? context.streamIdleTimeoutMs;
  timers.durationMs = action.maxStreamDurationMs ?? context.maxStreamDurationMs;
  timers.requestMs = context.requestTimeoutMs;
  timers.tryDurationMs = tryDurationMs;
  if (policy === undefined) return;
  timers.perTryMs = policy.perTryTimeoutMs;
  timers.perTryIdleMs = policy.perTryIdleTimeoutMs;
}

/** After what the route says; the headers are used up. Answers what it is when the time of the route is over. */
export function takeTimeoutHeaders(timers: StreamTimers, headers: HeaderList, context: RouterContext): Cause {
  const expectedMs = context.respectExpectedTimeout ? milliseconds(headers, EXPECTED_TIMEOUT) : undefined;
  const askedMs = expectedMs ?? milliseconds(headers, TIMEOUT);
  if (askedMs !== undefined) {
    timers.routeMs = askedMs;
    timers.deadlineMs = 0;
  }
  timers.perTryMs = milliseconds(headers, PER_TRY_TIMEOUT) ?? timers.perTryMs;
  timers.tryDurationMs = milliseconds(headers, STREAM_DURATION) ?? timers.tryDurationMs;
  const isAlternative = headers.has(ALTERNATIVE_RESPONSE);
  for (const id of [TIMEOUT, PER_TRY_TIMEOUT, STREAM_DURATION, ALTERNATIVE_RESPONSE]) headers.remove(id);
  return isAlternative ? Causes.upstreamTimeoutAsked : Causes.upstreamTimeout;
}

/** Envoy: a try that may take as long as all of them is limited by the whole alone. */
export function limitPerTry(timers: StreamTimers): void {
  if (timers.routeMs > 0 && timers.perTryMs >= timers.routeMs) timers.perTryMs = 0;
}

/**
 * Tells the host of a try how long it has.
 * @param elapsedMs since the end of the request.
 */
export function setExpectedTimeout(timers: StreamTimers, headers: HeaderList, elapsedMs: number, context: RouterContext): void {
  const expectedMs = timers.expectedMs(elapsedMs);
  if (expectedMs === 0 || context.suppressEnvoyHeaders) return;
  if (!context.respectExpectedTimeout || !headers.has(EXPECTED_TIMEOUT)) headers.set(EXPECTED_TIMEOUT, String(expectedMs));
}

function milliseconds(headers: HeaderList, id: number): number | undefined {
  const text = headers.get(id);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
