// TLS that is passed through: filter chains by the server name that a client asks for, from VirtualService.tls and from
// the names of services.
import type { FilterChain } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { selectVirtualService } from "./outbound-routes.ts";
import { relayChain, tcpTargets, weightedTargets } from "./relay-chain.ts";
import type { RelayPlace } from "./relay-chain.ts";
import { concerns } from "./route-match.ts";

/** Chains of the tls routes that a service's VirtualService has for a port, in its order; a name belongs to the first. */
export function tlsRouteChains(place: RelayPlace, name: string): FilterChain[] {
  const { snapshot, scope, service, port } = place;
  const virtualService = selectVirtualService(snapshot, scope, service.hostname);
  const taken = new Set<string>();
  return (virtualService?.spec.tls ?? []).flatMap((route) => {
    const matches = route.match.filter((each) => concerns(each, scope, port.port));
    const names = matches.flatMap((each) => each.sniHosts);
    const targets = weightedTargets(snapshot, route.route, virtualService!.meta.namespace, port.port);
    return named(taken, names).map((serverNames) => relayChain(place, `${name}-${serverNames[0]}`, targets, { serverNames }));
  });
}

/** For addresses that are no service's: a chain for each service, by the names that its clients may know it under. */
export function serviceNameChains(places: readonly RelayPlace[]): FilterChain[] {
  const taken = new Set<string>();
  return places.flatMap((place) => {
    const { name, namespace, hostname } = place.service;
    const names = [hostname, `${name}.${namespace}.svc`, `${name}.${namespace}`, ...(namespace === place.scope.namespace ? [name] : [])];
    return named(taken, names).map((serverNames) => relayChain(place, hostname, tcpTargets(place), { serverNames }));
  });
}

/** Those of the names that no chain has yet; nothing where none is left, since a chain without names would take any. */
function named(taken: Set<string>, names: readonly string[]): string[][] {
  const free = names.map((each) => each.toLowerCase()).filter((each) => !taken.has(each) && taken.add(each));
  return free.length === 0 ? [] : [free];
}
