// The filter chain of an outbound listener for bytes that are not understood: to a service, or to where a route of its
// VirtualService says.
import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { FilterChainSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { FilterChain, FilterChainMatchSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { ClusterName, outboundClusterName } from "../../xds/names.ts";
import type { TcpRoute } from "../../mesh-api/virtual-service.ts";
import { effectiveRule, portPolicy } from "../registry/destination-rule.ts";
import type { MeshService, MeshSnapshot, ServicePort } from "../registry/mesh-snapshot.ts";
import { tcpProxy } from "./network-filters.ts";
import type { RelayLimits, WeightedTarget } from "./network-filters.ts";
import { selectVirtualService } from "./outbound-routes.ts";
import type { OutboundScope } from "./outbound-scope.ts";
import { destinationCluster } from "./route-action.ts";
import { concerns } from "./route-match.ts";

export interface RelayPlace {
  readonly snapshot: MeshSnapshot;
  readonly scope: OutboundScope;
  readonly service: MeshService;
  readonly port: ServicePort;
}

/** @param match which connections it takes; any, where not given. */
export function relayChain(
  place: RelayPlace,
  name: string,
  targets: readonly WeightedTarget[],
  match?: MessageInitShape<typeof FilterChainMatchSchema>,
): FilterChain {
  const statPrefix = targets[0]?.cluster ?? ClusterName.blackHole;
  return create(FilterChainSchema, {
    name,
    ...(match === undefined ? {} : { filterChainMatch: match }),
    filters: [tcpProxy(place.snapshot.settings, statPrefix, targets, relayLimits(place))],
  });
}

/** How long the DestinationRule lets a relayed connection live. */
function relayLimits({ snapshot, scope, service, port }: RelayPlace): RelayLimits {
  const tcp = portPolicy(effectiveRule(snapshot, scope.namespace, service), undefined, port.port).connectionPool?.tcp;
  return { idleTimeoutMs: tcp?.idleTimeout, maxConnectionDurationMs: tcp?.maxConnectionDuration };
}

/** Where bytes go: as the first fitting tcp route of the service's VirtualService says, else to the service. */
export function tcpTargets({ snapshot, scope, service, port }: RelayPlace): WeightedTarget[] {
  const virtualService = selectVirtualService(snapshot, scope, service.hostname);
  const route = virtualService?.spec.tcp?.find(
    (each) => each.match === undefined || each.match.length === 0 || each.match.some((match) => concerns(match, scope, port.port)),
  );
  if (virtualService === undefined || route === undefined)
    return [{ cluster: outboundClusterName(port.port, "", service.hostname), weight: 1 }];
  return weightedTargets(snapshot, route.route, virtualService.meta.namespace, port.port);
}

/** @param namespace of the VirtualService, for its short host names. */
export function weightedTargets(snapshot: MeshSnapshot, route: TcpRoute["route"], namespace: string, port: number): WeightedTarget[] {
  const targets = route.map((each) => ({
    cluster: destinationCluster(snapshot, each.destination, namespace, port),
    weight: route.length === 1 ? 1 : (each.weight ?? 0),
  }));
  return targets.filter((each) => each.weight > 0);
}
