// CDS, outbound: a cluster for every port of every service that the proxy may see, and one for each subset.
import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  Cluster_TransportSocketMatchSchema,
  ClusterSchema,
} from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { Cluster } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { TcpKeepaliveSchema } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import { ApiVersion, ConfigSourceSchema } from "../../xds/gen/envoy/config/core/v3/config_source_pb.ts";
import type { ConfigSource } from "../../xds/gen/envoy/config/core/v3/config_source_pb.ts";
import { outboundClusterName, TLS_MODE_MESH } from "../../xds/names.ts";
import type { Subset, TcpKeepalive } from "../../mesh-api/destination-rule.ts";
import { effectiveRule, portPolicy } from "../registry/destination-rule.ts";
import type { EffectiveRule, PortPolicy } from "../registry/destination-rule.ts";
import type { MeshService, MeshSnapshot, ServicePort } from "../registry/mesh-snapshot.ts";
import { isRelayed } from "../registry/port-protocol.ts";
import { httpOptions } from "./http-options.ts";
import type { HttpOptions } from "./http-options.ts";
import { speaksMeshTls, subsetEndpoints } from "./service-endpoints.ts";
import { MESH_HTTP_ALPN, MESH_TCP_ALPN, exactMatcher, prefixMatcher, rawBuffer, upstreamMeshTls } from "./tls-contexts.ts";
import { configPath, istioMetadata, toDuration } from "./wire-values.ts";

/** Istio's limits: none unless a DestinationRule sets one (Envoy's own are 1024). */
const UNLIMITED = 0xffffffff;
const CONNECT_TIMEOUT_MS = 10_000;

export function outboundClusters(snapshot: MeshSnapshot, clientNamespace: string, services: readonly MeshService[]): Cluster[] {
  return services.flatMap((service) => {
    const rule = effectiveRule(snapshot, clientNamespace, service);
    return service.ports.flatMap((port) => [
      outboundCluster(snapshot, service, port, rule, undefined),
      ...(rule?.subsets ?? []).map((subset) => outboundCluster(snapshot, service, port, rule, subset)),
    ]);
  });
}

function outboundCluster(
  snapshot: MeshSnapshot,
  service: MeshService,
  port: ServicePort,
  rule: EffectiveRule | undefined,
  subset: Subset | undefined,
): Cluster {
  const policy = portPolicy(rule, subset, port.port);
  const pool = policy.connectionPool;
  // A headless service has no address of its own: the caller has chosen a pod, and gets that one.
  const originalDst = service.headless || policy.loadBalancer?.simple === "PASSTHROUGH";
  const cluster = create(ClusterSchema, {
    name: outboundClusterName(port.port, subset?.name ?? "", service.hostname),
    clusterDiscoveryType: { case: "type", value: originalDst ? Cluster_DiscoveryType.ORIGINAL_DST : Cluster_DiscoveryType.EDS },
    ...(originalDst
      ? {}
      : {
          edsClusterConfig: { edsConfig: adsSource(), serviceName: outboundClusterName(port.port, subset?.name ?? "", service.hostname) },
        }),
    connectTimeout: toDuration(pool?.tcp?.connectTimeout ?? CONNECT_TIMEOUT_MS),
    lbPolicy: originalDst ? Cluster_LbPolicy.CLUSTER_PROVIDED : toLbPolicy(policy.loadBalancer?.simple),
    // Endpoints that aren't ready are sent too, marked unhealthy: never send to them, however many there are.
    ...(originalDst ? {} : { commonLbConfig: { healthyPanicThreshold: { value: 0 } } }),
    circuitBreakers: {
      thresholds: [
        {
          maxConnections: pool?.tcp?.maxConnections ?? UNLIMITED,
          maxPendingRequests: pool?.http?.http1MaxPendingRequests ?? UNLIMITED,
          maxRequests: pool?.http?.http2MaxRequests ?? UNLIMITED,
          maxRetries: pool?.http?.maxRetries ?? UNLIMITED,
          trackRemaining: true,
        },
      ],
    },
    typedExtensionProtocolOptions: outboundHttpOptions(port, policy),
    ...(pool?.tcp?.tcpKeepalive === undefined ? {} : { upstreamConnectionOptions: { tcpKeepalive: keepalive(pool.tcp.tcpKeepalive) } }),
    metadata: istioMetadata({
      ...(rule === undefined ? {} : { config: configPath(rule.namespace, "destination-rule", rule.name) }),
      services: [{ host: service.hostname, name: service.name, namespace: service.namespace }],
      ...(subset === undefined ? {} : { subset: subset.name }),
    }),
  });
  setTransport(cluster, snapshot, service, port, policy, subset);
  return cluster;
}

export function adsSource(): ConfigSource {
  return create(ConfigSourceSchema, {
    configSourceSpecifier: { case: "ads", value: {} },
    resourceApiVersion: ApiVersion.V3,
    initialFetchTimeout: toDuration(0),
  });
}

/** Whole seconds, one at least: that is what the kernel takes. */
function keepalive({ probes, time, interval }: TcpKeepalive): MessageInitShape<typeof TcpKeepaliveSchema> {
  const seconds = (ms: number): number => Math.max(1, Math.round(ms / 1000));
  return {
    ...(probes === undefined ? {} : { keepaliveProbes: probes }),
    ...(time === undefined ? {} : { keepaliveTime: seconds(time) }),
    ...(interval === undefined ? {} : { keepaliveInterval: seconds(interval) }),
  };
}

function toLbPolicy(simple: string | undefined): Cluster_LbPolicy {
  if (simple === "ROUND_ROBIN") return Cluster_LbPolicy.ROUND_ROBIN;
  if (simple === "RANDOM") return Cluster_LbPolicy.RANDOM;
  return Cluster_LbPolicy.LEAST_REQUEST;
}

function outboundHttpOptions(port: ServicePort, policy: PortPolicy): HttpOptions {
  const pool = policy.connectionPool;
  return httpOptions(pool?.http?.useClientProtocol === true && port.protocol === "http2" ? "http" : port.protocol, {
    idleTimeoutMs: pool?.http?.idleTimeout ?? pool?.tcp?.idleTimeout,
    maxRequestsPerConnection: pool?.http?.maxRequestsPerConnection,
    maxConnectionDurationMs: pool?.tcp?.maxConnectionDuration,
  });
}

/**
 * Mutual TLS towards endpoints that have a sidecar, plaintext towards the others; a DestinationRule's tls.mode decides
 * for all of them.
 */
function setTransport(
  cluster: Cluster,
  snapshot: MeshSnapshot,
  service: MeshService,
  port: ServicePort,
  policy: PortPolicy,
  subset: Subset | undefined,
): void {
  const mode = policy.tls?.mode;
  if (mode === "DISABLE") return;
  const sni = policy.tls?.sni ?? `outbound_.${port.port}_.${subset?.name ?? ""}_.${service.hostname}`;
  const alpn = isRelayed(port.protocol) ? MESH_TCP_ALPN : MESH_HTTP_ALPN;
  const socket = upstreamMeshTls(alpn, sni, peerMatchers(snapshot, service, policy.tls?.subjectAltNames));
  const endpoints = subsetEndpoints(service, port, subset);
  const meshed = endpoints.filter((each) => speaksMeshTls(snapshot, each)).length;
  if (mode === "ISTIO_MUTUAL") {
    cluster.transportSocket = socket;
  } else if (cluster.clusterDiscoveryType.value === Cluster_DiscoveryType.ORIGINAL_DST) {
    // The pod is known only when the connection comes: one answer for all of them, so all must agree.
    if (meshed > 0 && meshed === endpoints.length) cluster.transportSocket = socket;
  } else if (meshed > 0 || endpoints.length === 0) {
    cluster.transportSocketMatches = [
      create(Cluster_TransportSocketMatchSchema, { name: "tlsMode-istio", match: { tlsMode: TLS_MODE_MESH }, transportSocket: socket }),
      create(Cluster_TransportSocketMatchSchema, { name: "tlsMode-disabled", match: {}, transportSocket: rawBuffer() }),
    ];
  }
}

/** Whom the client accepts: exactly the identities that the service's pods run under. */
function peerMatchers(snapshot: MeshSnapshot, service: MeshService, given: readonly string[] | undefined) {
  if (given !== undefined && given.length > 0) return given.map(exactMatcher);
  const namespace = `spiffe://${snapshot.settings.trustDomain}/ns/${service.namespace}/sa/`;
  // No pod is known yet; whichever comes first must at least be of the service's namespace.
  if (service.serviceAccounts.length === 0) return [prefixMatcher(namespace)];
  return service.serviceAccounts.map((each) => exactMatcher(`${namespace}${each}`));
}
