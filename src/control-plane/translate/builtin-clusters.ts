// Clusters that every sidecar has: where traffic goes that no service claims.
import { create } from "@bufbuild/protobuf";
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { Cluster } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterName, INBOUND_PASSTHROUGH_SOURCE_V4, INBOUND_PASSTHROUGH_SOURCE_V6 } from "../../xds/names.ts";
import { httpOptions } from "./http-options.ts";
import type { ProxyView } from "./proxy-view.ts";
import { toDuration } from "./wire-values.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** `PassthroughCluster` goes where the application wanted to go; `BlackHoleCluster` goes nowhere. */
export function outboundBuiltinClusters(): Cluster[] {
  return [
    create(ClusterSchema, {
      name: ClusterName.blackHole,
      clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
      connectTimeout: toDuration(CONNECT_TIMEOUT_MS),
    }),
    originalDst(ClusterName.passthrough),
  ];
}

/** For ports of the workload that no service names; the source address keeps iptables from capturing them again. */
export function inboundBuiltinClusters(view: ProxyView): Cluster[] {
  return [
    ...(view.hasIpv4 ? [originalDst(ClusterName.inboundPassthroughV4, INBOUND_PASSTHROUGH_SOURCE_V4)] : []),
    ...(view.hasIpv6 ? [originalDst(ClusterName.inboundPassthroughV6, INBOUND_PASSTHROUGH_SOURCE_V6)] : []),
  ];
}

function originalDst(name: string, source?: string): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: toDuration(CONNECT_TIMEOUT_MS),
    typedExtensionProtocolOptions: httpOptions("auto"),
    ...(source === undefined
      ? {}
      : { upstreamBindConfig: { sourceAddress: { address: source, portSpecifier: { case: "portValue", value: 0 } } } }),
  });
}
