// LDS, outbound: the socket that iptables redirects to, and behind it a listener for every port and address that some
// service has; a connection goes to the one whose address fits its original destination best.
import { create } from "@bufbuild/protobuf";
import { TrafficDirection } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { FilterChainSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { FilterChain } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { ListenerSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import type { Listener } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { ClusterName, ListenerName, outboundClusterName, Port } from "../../xds/names.ts";
import type { MeshService, MeshSettings, MeshSnapshot, ServicePort } from "../registry/mesh-snapshot.ts";
import { BOUNDED_SNIFFING, listenerFilter, PATIENT_SNIFFING, SNIFFED_HTTP, wildcardAddress, wildcardAddresses } from "./listener-parts.ts";
import { httpManager, tcpProxy } from "./network-filters.ts";
import type { WeightedTarget } from "./network-filters.ts";
import { adsSource } from "./outbound-clusters.ts";
import { isSharedHttpPort, selectVirtualService, sniffedRouteName } from "./outbound-routes.ts";
import type { OutboundScope } from "./outbound-scope.ts";
import { destinationCluster } from "./route-action.ts";
import { concerns } from "./route-match.ts";
import { isIpv6, toAddress } from "./wire-values.ts";

const OWN_PORTS: ReadonlySet<number> = new Set([Port.outbound, Port.inbound]);

export function outboundListeners(snapshot: MeshSnapshot, scope: OutboundScope, services: readonly MeshService[]): Listener[] {
  const listeners = new Map<string, Listener>();
  const httpPorts = new Set<number>();
  for (const service of services) {
    for (const port of service.ports) {
      if (OWN_PORTS.has(port.port)) continue;
      if (isSharedHttpPort(port)) {
        httpPorts.add(port.port);
        continue;
      }
      for (const { address, at } of placesOf(service, port, scope)) {
        const listener = addressListener(snapshot, scope, service, port, address, at);
        // Two services may claim one address only by mistake; the first by name keeps it.
        if (!listeners.has(listener.name)) listeners.set(listener.name, listener);
      }
    }
  }
  const shared = [...httpPorts].sort((a, b) => a - b).map((port) => httpListener(snapshot.settings, scope, port));
  return [virtualOutbound(snapshot.settings, scope), ...shared, ...listeners.values()];
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

/** `0.0.0.0_8080`: HTTP to any address on a port where some service speaks it; what isn't HTTP goes where it wanted to go. */
function httpListener(settings: MeshSettings, scope: OutboundScope, port: number): Listener {
  const name = `${wildcardAddress(scope)}_${port}`;
  return create(ListenerSchema, {
    name,
    ...wildcardAddresses(scope, port),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    listenerFilters: [listenerFilter("tls_inspector"), listenerFilter("http_inspector")],
    ...PATIENT_SNIFFING,
    filterChains: [httpChain(settings, name, String(port))],
    defaultFilterChain: passthroughChain(settings, `${name}-passthrough`),
  });
}

function httpChain(settings: MeshSettings, name: string, routeName: string): FilterChain {
  return create(FilterChainSchema, {
    name,
    filterChainMatch: { transportProtocol: "raw_buffer", applicationProtocols: [...SNIFFED_HTTP] },
    filters: [
      httpManager(settings, "outbound", `outbound_${name}`, {
        case: "rds",
        value: { routeConfigName: routeName, configSource: adsSource() },
      }),
    ],
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

/** `10.96.0.7_3306`: one service's port, as bytes; with a chain for HTTP where the bytes are to tell. */
function addressListener(
  snapshot: MeshSnapshot,
  scope: OutboundScope,
  service: MeshService,
  port: ServicePort,
  address: string,
  at: number,
): Listener {
  const name = `${address}_${at}`;
  const targets = tcpTargets(snapshot, scope, service, port);
  const chain = create(FilterChainSchema, {
    name,
    filters: [tcpProxy(snapshot.settings, targets[0]?.cluster ?? ClusterName.blackHole, targets)],
  });
  const common = {
    name,
    address: toAddress(address, at),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
  };
  if (port.protocol !== "auto") return create(ListenerSchema, { ...common, filterChains: [chain] });
  return create(ListenerSchema, {
    ...common,
    listenerFilters: [listenerFilter("tls_inspector"), listenerFilter("http_inspector")],
    ...BOUNDED_SNIFFING,
    filterChains: [httpChain(snapshot.settings, name, sniffedRouteName(service, port))],
    defaultFilterChain: chain,
  });
}

/** Where bytes go: as the first fitting tcp route of the service's VirtualService says, else to the service. */
function tcpTargets(snapshot: MeshSnapshot, scope: OutboundScope, service: MeshService, port: ServicePort): WeightedTarget[] {
  const virtualService = selectVirtualService(snapshot, scope, service.hostname);
  const route = virtualService?.spec.tcp?.find(
    (each) => each.match === undefined || each.match.length === 0 || each.match.some((match) => concerns(match, scope, port.port)),
  );
  if (virtualService === undefined || route === undefined)
    return [{ cluster: outboundClusterName(port.port, "", service.hostname), weight: 1 }];
  const targets = route.route.map((each) => ({
    cluster: destinationCluster(snapshot, each.destination, virtualService.meta.namespace, port.port),
    weight: route.route.length === 1 ? 1 : (each.weight ?? 0),
  }));
  return targets.filter((each) => each.weight > 0);
}
