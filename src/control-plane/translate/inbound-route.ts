// The route of an inbound HTTP chain: everything to the workload, without a timeout but for the deadlines of gRPC calls.
import { create } from "@bufbuild/protobuf";
import {
  RetryPolicySchema,
  RouteActionSchema,
  RouteSchema,
  VirtualHostSchema,
} from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { RouteConfigurationSchema } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import type { RouteConfiguration } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import { toRouteMatch } from "./route-match.ts";
import { toDuration } from "./wire-values.ts";

const RETRIES = 2;

export function inboundRoute(cluster: string, hostName: string): RouteConfiguration {
  // Only what the workload cannot have seen is tried again: a pooled connection that it had just closed.
  const retries = create(RetryPolicySchema, { retryOn: "reset-before-request", numRetries: RETRIES });
  return create(RouteConfigurationSchema, {
    name: cluster,
    validateClusters: false,
    virtualHosts: [
      create(VirtualHostSchema, {
        name: hostName,
        domains: ["*"],
        routes: [
          create(RouteSchema, {
            name: "default",
            match: toRouteMatch(undefined),
            action: {
              case: "route",
              value: create(RouteActionSchema, {
                clusterSpecifier: { case: "cluster", value: cluster },
                timeout: toDuration(0),
                maxStreamDuration: { maxStreamDuration: toDuration(0), grpcTimeoutHeaderMax: toDuration(0) },
                retryPolicy: retries,
              }),
            },
          }),
        ],
      }),
    ],
  });
}
