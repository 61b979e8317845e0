// What it is when one of a request's timers fires: before and after the response has begun, and whether it ends a try or
// the whole request.
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import type { Cluster } from "../upstream/cluster.ts";
import { Timer, type StreamTimers } from "./stream-timers.ts";

export interface Overdue {
  readonly before: Cause;
  readonly midway: Cause;
  readonly detail: string;
  /** Another try may follow. */
  readonly isOfTry: boolean;
}

/** @param timeoutCause what the route's time being over is to this request. */
export function overdue(
  kind: number,
  timers: StreamTimers,
  isRequestWhole: boolean,
  cluster: Cluster | undefined,
  timeoutCause: Cause,
): Overdue {
  switch (kind) {
    case Timer.route:
      return whole(timeoutCause, Causes.upstreamTimeoutMidway, `no response within ${timers.routeMs} ms`);
    case Timer.deadline:
      return whole(timeoutCause, Causes.upstreamTimeoutMidway, `the call's deadline of ${timers.deadlineMs} ms has passed`);
    case Timer.idle:
      return whole(isRequestWhole ? Causes.streamIdle : Causes.downstreamIdle, Causes.streamIdleMidway, `no byte for ${timers.idleMs} ms`);
    case Timer.duration:
      return whole(
        isRequestWhole ? Causes.streamDuration : Causes.requestDuration,
        Causes.streamDurationMidway,
        `longer than the ${timers.durationMs} ms that a stream may take`,
      );
    case Timer.try:
      return ofTry(Causes.perTryTimeout, Causes.upstreamTimeoutMidway, `no response within ${timers.perTryMs} ms`);
    case Timer.tryIdle:
      return ofTry(Causes.perTryIdleTimeout, Causes.perTryIdleTimeoutMidway, `no byte for ${timers.perTryIdleMs} ms`);
    case Timer.tryDuration:
      return ofTry(
        Causes.upstreamDuration,
        Causes.upstreamDurationMidway,
        `longer than the ${timers.tryDurationMs} ms that cluster ${cluster?.name} lets a stream take`,
      );
    default:
      return whole(Causes.requestTimeout, Causes.requestTimeoutMidway, `request not whole within ${timers.requestMs} ms`);
  }
}

/** Counts it in the statistics of the cluster. */
export function countOverdue(kind: number, { stats }: Cluster): void {
  if (kind === Timer.route || kind === Timer.deadline) stats.rqTimeout.inc();
  else if (kind === Timer.try) stats.rqPerTryTimeout.inc();
  else if (kind === Timer.tryIdle) stats.rqPerTryIdleTimeout.inc();
  else if (kind === Timer.tryDuration) stats.rqMaxDurationReached.inc();
}

function whole(before: Cause, midway: Cause, detail: string): Overdue {
  return { before, midway, detail, isOfTry: false };
}

function ofTry(before: Cause, midway: Cause, detail: string): Overdue {
  return { before, midway, detail, isOfTry: true };
}
