// The route of an inbound HTTP chain: everything to the workload, without a timeout.
import { create } from "@bufbuild/protobuf";
import { RetryPolicySchema, RouteSchema, VirtualHostSchema } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { RouteConfigurationSchema } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import type { RouteConfiguration } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import { plainAction } from "./route-action.ts";
import { toRouteMatch } from "./route-match.ts";

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
            action: { case: "route", value: plainAction(cluster, retries) },
          }),
        ],
      }),
    ],
  });
}
