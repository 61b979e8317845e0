// The one table of failure: what went wrong → status, response flag, detail and whose fault it is. The local reply, the
// access log, the metrics and `x-mesh-error` all read it; a cause that has no row here does not exist.
import { Grpc, midway, named, OURS, row, type Cause } from "./cause.ts";
import { ClientCauses } from "./client-causes.ts";
import { RelayCauses } from "./relay-causes.ts";
import { UpstreamCauses } from "./upstream-causes.ts";

const OwnCauses = named({
  draining: row(503, Grpc.unavailable, "LR", "drain_time_completed", "client-sidecar", "connection draining", OURS),
  drainingMidway: midway(Grpc.unavailable, "LR", "drain_time_completed", "client-sidecar", OURS),
  internalError: row(500, Grpc.internal, "LR", "internal_error", "client-sidecar", "internal error", OURS),
  internalErrorMidway: midway(Grpc.internal, "LR", "internal_error", "client-sidecar", OURS),
});

export const Causes = { ...ClientCauses, ...UpstreamCauses, ...RelayCauses, ...OwnCauses };

/** The row for a failure of ours once the response has begun. */
export function onceBegun(cause: Cause): Cause {
  if (cause === Causes.draining) return Causes.drainingMidway;
  return cause === Causes.internalError ? Causes.internalErrorMidway : cause;
}
