// What a route does with the deadlines of gRPC calls.
import type { RouteAction } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { RouteAction_MaxStreamDurationSchema } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { GrpcDeadline } from "./route-config.ts";

const DURATION = fieldRules(RouteAction_MaxStreamDurationSchema, [
  "max_stream_duration",
  "grpc_timeout_header_max",
  "grpc_timeout_header_offset",
]);

/** From max_stream_duration or, where a route has none, from the older fields beside it, which Envoy reads only then. */
export function decodeGrpcDeadline(decoding: Decoding, action: RouteAction, path: string): GrpcDeadline | undefined {
  const duration = action.maxStreamDuration;
  if (duration !== undefined) {
    const inner = join(path, "max_stream_duration");
    decoding.check(DURATION, duration, inner);
    if (duration.grpcTimeoutHeaderMax === undefined) return undefined;
    return {
      replaces: "duration",
      maxMs: durationMs(decoding, duration.grpcTimeoutHeaderMax, join(inner, "grpc_timeout_header_max"), 0),
      offsetMs: durationMs(decoding, duration.grpcTimeoutHeaderOffset, join(inner, "grpc_timeout_header_offset"), 0),
    };
  }
  if (action.maxGrpcTimeout === undefined) return undefined;
  return {
    replaces: "timeout",
    maxMs: durationMs(decoding, action.maxGrpcTimeout, join(path, "max_grpc_timeout"), 0),
    offsetMs: durationMs(decoding, action.grpcTimeoutOffset, join(path, "grpc_timeout_offset"), 0),
  };
}
