// LDS, outbound: the socket that iptables redirects to, and behind it a listener for every port and address that some
// service has; a connection goes to the one whose address fits its original destination best.
import { create } from "@bufbuild/protobuf";
import { TrafficDirection } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { FilterChainSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { FilterChain } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { ListenerSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import type { Listener } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { ClusterName, ListenerName, Port } from "../../xds/names.ts";
import type { MeshService, MeshSettings, MeshSnapshot, ServicePort } from "../registry/mesh-snapshot.ts";
import { addressListener } from "./address-listener.ts";
import { listenerFilter, sniffing, wildcardAddress, wildcardAddresses } from "./listener-parts.ts";
import { tcpProxy } from "./network-filters.ts";
import { httpChain } from "./outbound-http-chain.ts";
import { isSharedHttpPort } from "./outbound-routes.ts";
import type { OutboundScope } from "./outbound-scope.ts";
import type { RelayPlace } from "./relay-chain.ts";
import { serviceNameChains } from "./tls-routes.ts";
import { isIpv6 } from "./wire-values.ts";

const OWN_PORTS: ReadonlySet<number> = new Set([Port.outbound, Port.inbound]);

export function outboundListeners(snapshot: MeshSnapshot, scope: OutboundScope, services: readonly MeshService[]): Listener[] {
  const listeners = new Map<string, Listener>();
  const shared = new Map<number, SharedPort>();
  for (const service of services) {
    for (const port of service.ports) {
      if (OWN_PORTS.has(port.port)) continue;
      const places = placesOf(service, port, scope);
      const relayed: RelayPlace = { snapshot, scope, service, port };
      if (isSharedHttpPort(port) || port.protocol === "tls") share(shared, relayed, places);
      if (isSharedHttpPort(port)) continue;
      for (const { address, at } of places) {
        const listener = addressListener(relayed, address, at);
        // Two services may claim one address only by mistake; the first by name keeps it.
        if (!listeners.has(listener.name)) listeners.set(listener.name, listener);
      }
    }
  }
  const byPort = [...shared].sort(([a], [b]) => a - b).map(([port, each]) => sharedListener(snapshot.settings, scope, port, each));
  return [virtualOutbound(snapshot.settings, scope), ...byPort, ...listeners.values()];
}

function share(shared: Map<number, SharedPort>, relayed: RelayPlace, places: readonly Place[]): void {
  const { port } = relayed;
  let known = shared.get(port.port);
  if (known === undefined) shared.set(port.port, (known = { httpAddresses: new Set(), hasHttp: false, tls: [] }));
  if (port.protocol === "tls") known.tls.push(relayed);
  else {
    known.hasHttp = true;
    // A headless service's pods may listen elsewhere; those connections come to another listener.
    for (const { address, at } of places) if (at === port.port) known.httpAddresses.add(address);
  }
}

function virtualOutbound(settings: MeshSettings, scope: OutboundScope): Listener {
  return create(ListenerSchema, {
    name: ListenerName.outbound,
    ...wildcardAddresses(scope, Port.outbound),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    listenerFilters: [listenerFilter("original_dst")],
    filterChains: [
      create(FilterChainSchema, {
        name: "virtualOutbound-blackhole",
        // Nobody was redirected who wanted to come here: passing it on would be a loop.
        filterChainMatch: { destinationPort: Port.outbound },
        filters: [tcpProxy(settings, ClusterName.blackHole, [{ cluster: ClusterName.blackHole, weight: 1 }])],
      }),
    ],
    defaultFilterChain: passthroughChain(settings, "virtualOutbound-catchall-tcp"),
  });
}

function passthroughChain(settings: MeshSettings, name: string): FilterChain {
  return create(FilterChainSchema, {
    name,
    filters: [tcpProxy(settings, ClusterName.passthrough, [{ cluster: ClusterName.passthrough, weight: 1 }])],
  });
}

/** What services have on one port, of those that share the listener `0.0.0.0_PORT`. */
interface SharedPort {
  /** Where HTTP is certain, whatever the first bytes. */
  readonly httpAddresses: Set<string>;
  hasHttp: boolean;
  /** Found by the server name, where the address is not a service's. */
  readonly tls: RelayPlace[];
}

/** `0.0.0.0_8080`: HTTP, and TLS by its server name; whatever else goes where it wanted to go. */
function sharedListener(settings: MeshSettings, scope: OutboundScope, port: number, shared: SharedPort): Listener {
  const name = `${wildcardAddress(scope)}_${port}`;
  const ranges = [...shared.httpAddresses].sort().map((address) => ({ addressPrefix: address, prefixLen: isIpv6(address) ? 128 : 32 }));
  return create(ListenerSchema, {
    name,
    ...wildcardAddresses(scope, port),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    listenerFilters: [listenerFilter("tls_inspector"), ...(shared.hasHttp ? [listenerFilter("http_inspector")] : [])],
    ...sniffing(settings),
    filterChains: [
      // A pool may open a connection long before it is used: no server of these addresses speaks first.
      ...(ranges.length === 0 ? [] : [httpChain(settings, name, String(port), { prefixRanges: ranges }, `${name}-services`)]),
      ...(shared.hasHttp ? [httpChain(settings, name, String(port))] : []),
      ...serviceNameChains(shared.tls),
    ],
    defaultFilterChain: passthroughChain(settings, `${name}-passthrough`),
  });
}

interface Place {
  readonly address: string;
  readonly at: number;
}

/** A service is reached at its own addresses; a headless one at its pods'. */
function placesOf(service: MeshService, port: ServicePort, scope: OutboundScope): Place[] {
  const places = service.headless
    ? (service.endpoints.get(port.name) ?? []).map((each) => ({ address: each.address, at: each.port }))
    : service.addresses.map((address) => ({ address, at: port.port }));
  return places.filter((each) => (isIpv6(each.address) ? scope.hasIpv6 : scope.hasIpv4));
}
