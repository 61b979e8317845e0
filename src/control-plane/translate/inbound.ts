// Inbound configuration of one workload: a cluster for each of its ports, and the one listener that iptables redirects
// to, whose filter chains say by port, TLS and ALPN what a connection carries and whether it is let in.
import { create } from "@bufbuild/protobuf";
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { Cluster } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { TrafficDirection } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { FilterChainSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { FilterChain } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { ListenerSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import type { Listener } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import {
  ClusterName,
  inboundClusterName,
  INBOUND_PASSTHROUGH_SOURCE_V4,
  INBOUND_PASSTHROUGH_SOURCE_V6,
  ListenerName,
  Port,
} from "../../xds/names.ts";
import type { MeshSnapshot } from "../registry/mesh-snapshot.ts";
import { effectiveMtls } from "../registry/peer-authentication.ts";
import { httpOptions } from "./http-options.ts";
import { chainShapes, looksForHttp, looksForTls } from "./inbound-chains.ts";
import type { ChainShape } from "./inbound-chains.ts";
import type { InboundPort } from "./inbound-ports.ts";
import { inboundRoute } from "./inbound-route.ts";
import { listenerFilter, sniffing, wildcardAddress, wildcardAddresses } from "./listener-parts.ts";
import { httpManager, tcpProxy } from "./network-filters.ts";
import type { ProxyView } from "./proxy-view.ts";
import { downstreamMeshTls } from "./tls-contexts.ts";
import { isIpv6, istioMetadata, toDuration } from "./wire-values.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** To the workload itself: the address that the client wanted, from an address that is not captured again. */
export function inboundClusters(view: ProxyView, ports: readonly InboundPort[]): Cluster[] {
  const sources = [...(view.hasIpv4 ? [INBOUND_PASSTHROUGH_SOURCE_V4] : []), ...(view.hasIpv6 ? [INBOUND_PASSTHROUGH_SOURCE_V6] : [])];
  const [source = INBOUND_PASSTHROUGH_SOURCE_V4, ...extra] = sources.map((address) => ({
    address,
    portSpecifier: { case: "portValue" as const, value: 0 },
  }));
  return ports.map((each) =>
    create(ClusterSchema, {
      name: inboundClusterName(each.port),
      clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      connectTimeout: toDuration(CONNECT_TIMEOUT_MS),
      typedExtensionProtocolOptions: httpOptions(each.protocol),
      // A dual stack workload: whichever family the destination has.
      upstreamBindConfig: {
        sourceAddress: source as Exclude<typeof source, string>,
        extraSourceAddresses: extra.map((address) => ({ address })),
      },
      ...(each.service === undefined
        ? {}
        : {
            metadata: istioMetadata({
              services: [{ host: each.service.hostname, name: each.service.name, namespace: each.service.namespace }],
            }),
          }),
    }),
  );
}

export function virtualInbound(snapshot: MeshSnapshot, view: ProxyView, ports: readonly InboundPort[]): Listener {
  return create(ListenerSchema, {
    name: ListenerName.inbound,
    ...wildcardAddresses(view, Port.inbound),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [
      listenerFilter("original_dst"),
      listenerFilter("tls_inspector", exceptPorts(ports, looksForTls)),
      listenerFilter("http_inspector", exceptPorts(ports, looksForHttp)),
    ],
    ...sniffing(snapshot.settings),
    filterChains: [blackHole(snapshot), ...ports.flatMap((each) => portChains(snapshot, view, each)), ...catchAllChains(snapshot, view)],
  });
}

/** Where what an inspector would find decides nothing: nobody is to wait for it. */
function exceptPorts(ports: readonly InboundPort[], looks: (shape: ChainShape) => boolean): number[] {
  return [Port.inbound, ...ports.filter((each) => !chainShapes(each.protocol, each.mode).some(looks)).map((each) => each.port)];
}

function blackHole(snapshot: MeshSnapshot): FilterChain {
  return create(FilterChainSchema, {
    name: "virtualInbound-blackhole",
    // A connection straight to 15006 was never redirected: passing it on would be a loop.
    filterChainMatch: { destinationPort: Port.inbound },
    filters: [tcpProxy(snapshot.settings, ClusterName.blackHole, [{ cluster: ClusterName.blackHole, weight: 1 }])],
  });
}

function portChains(snapshot: MeshSnapshot, view: ProxyView, port: InboundPort): FilterChain[] {
  const name = `${wildcardAddress(view)}_${port.port}`;
  const cluster = inboundClusterName(port.port);
  return chainShapes(port.protocol, port.mode).map((shape) =>
    toChain(snapshot, shape, name, { destinationPort: port.port }, cluster, `inbound|${shape.http ? "http" : "tcp"}|${port.port}`),
  );
}

/** Ports that no service names: the same policy, to where the client wanted to go. */
function catchAllChains(snapshot: MeshSnapshot, view: ProxyView): FilterChain[] {
  const mode = effectiveMtls(snapshot, view, undefined).mode;
  const families = [
    ...(view.hasIpv4 ? [{ cluster: ClusterName.inboundPassthroughV4, range: "0.0.0.0" }] : []),
    ...(view.hasIpv6 ? [{ cluster: ClusterName.inboundPassthroughV6, range: "::" }] : []),
  ];
  return families.flatMap(({ cluster, range }) =>
    chainShapes("auto", mode).map((shape) =>
      toChain(
        snapshot,
        shape,
        shape.http ? "virtualInbound-catchall-http" : "virtualInbound",
        { prefixRanges: [{ addressPrefix: range, prefixLen: 0 }] },
        cluster,
        isIpv6(range) ? "inbound|http|passthrough6" : "inbound|http|passthrough",
      ),
    ),
  );
}

function toChain(
  snapshot: MeshSnapshot,
  shape: ChainShape,
  name: string,
  place: { destinationPort?: number; prefixRanges?: { addressPrefix: string; prefixLen: number }[] },
  cluster: string,
  hostName: string,
): FilterChain {
  const filter = shape.http
    ? httpManager(snapshot.settings, "inbound", `inbound_${name}`, { case: "routeConfig", value: inboundRoute(cluster, hostName) })
    : tcpProxy(snapshot.settings, cluster, [{ cluster, weight: 1 }]);
  return create(FilterChainSchema, {
    name,
    filterChainMatch: {
      ...place,
      ...(shape.transport === undefined ? {} : { transportProtocol: shape.transport }),
      applicationProtocols: [...shape.alpn],
    },
    filters: [filter],
    ...(shape.meshTls ? { transportSocket: downstreamMeshTls(shape.serverAlpn, snapshot.settings.trustDomain) } : {}),
  });
}
