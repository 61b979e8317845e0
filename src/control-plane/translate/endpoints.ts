// EDS: the addresses behind every cluster of type EDS, with health, zone, and what the client's sidecar has to know
// about each: whether it takes mutual TLS, and whose it is.
import { create } from "@bufbuild/protobuf";
import { HealthStatus } from "../../xds/gen/envoy/config/core/v3/health_check_pb.ts";
import { LbEndpointSchema, LocalityLbEndpointsSchema } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
import type { LbEndpoint, LocalityLbEndpoints } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { ClusterLoadAssignment } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { MetadataKey, outboundClusterName, TLS_MODE_MESH } from "../../xds/names.ts";
import type { Subset } from "../../mesh-api/destination-rule.ts";
import { effectiveRule } from "../registry/destination-rule.ts";
import type { Endpoint, EndpointHealth, MeshService, MeshSnapshot, ServicePort } from "../registry/mesh-snapshot.ts";
import type { OutboundScope } from "./outbound-scope.ts";
import { speaksMeshTls, subsetEndpoints } from "./service-endpoints.ts";
import { isIpv6, toAddress } from "./wire-values.ts";

const HEALTH: Readonly<Record<EndpointHealth, HealthStatus>> = {
  healthy: HealthStatus.HEALTHY,
  unhealthy: HealthStatus.UNHEALTHY,
  draining: HealthStatus.DRAINING,
};

export function outboundEndpoints(
  snapshot: MeshSnapshot,
  scope: OutboundScope,
  services: readonly MeshService[],
): Map<string, ClusterLoadAssignment> {
  const assignments = new Map<string, ClusterLoadAssignment>();
  for (const service of services) {
    if (service.headless) continue;
    const subsets = [undefined, ...(effectiveRule(snapshot, scope.namespace, service)?.subsets ?? [])];
    for (const port of service.ports) {
      for (const subset of subsets) {
        const assignment = assign(snapshot, scope, service, port, subset);
        assignments.set(assignment.clusterName, assignment);
      }
    }
  }
  return assignments;
}

function assign(
  snapshot: MeshSnapshot,
  scope: OutboundScope,
  service: MeshService,
  port: ServicePort,
  subset: Subset | undefined,
): ClusterLoadAssignment {
  const reachable = oncePerWorkload(subsetEndpoints(service, port, subset), scope, service);
  return create(ClusterLoadAssignmentSchema, {
    clusterName: outboundClusterName(port.port, subset?.name ?? "", service.hostname),
    endpoints: [...Map.groupBy(reachable, ({ locality }) => [locality.region, locality.zone, locality.subZone].join("/"))]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, endpoints]) => toLocality(snapshot, endpoints)),
  });
}

/** @param endpoints all of one locality. */
function toLocality(snapshot: MeshSnapshot, endpoints: readonly Endpoint[]): LocalityLbEndpoints {
  return create(LocalityLbEndpointsSchema, {
    locality: endpoints[0]?.locality ?? {},
    loadBalancingWeight: endpoints.length,
    lbEndpoints: endpoints.map((each) => toLbEndpoint(snapshot, each)),
  });
}

function toLbEndpoint(snapshot: MeshSnapshot, endpoint: Endpoint): LbEndpoint {
  const workload = endpoint.workload;
  const identity =
    workload === undefined
      ? undefined
      : [workload.workloadName, workload.namespace, workload.canonicalName, workload.canonicalRevision, snapshot.settings.clusterId].join(
          ";",
        );
  return create(LbEndpointSchema, {
    hostIdentifier: { case: "endpoint", value: { address: toAddress(endpoint.address, endpoint.port), hostname: endpoint.hostname ?? "" } },
    healthStatus: HEALTH[endpoint.health],
    loadBalancingWeight: 1,
    metadata: {
      filterMetadata: {
        ...(speaksMeshTls(snapshot, endpoint) ? { [MetadataKey.transportSocketMatch]: { tlsMode: TLS_MODE_MESH } } : {}),
        ...(identity === undefined ? {} : { [MetadataKey.istio]: { workload: identity } }),
      },
    },
  });
}

/**
 * Only families that the client has; and a pod with two addresses counts once, by the address of the service's first
 * family where the client can use it.
 */
function oncePerWorkload(endpoints: readonly Endpoint[], scope: OutboundScope, service: MeshService): Endpoint[] {
  const usable = endpoints.filter((each) => (isIpv6(each.address) ? scope.hasIpv6 : scope.hasIpv4));
  if (!(scope.hasIpv4 && scope.hasIpv6)) return usable;
  const prefersIpv6 = isIpv6(service.addresses[0] ?? "");
  const preferred = new Set(usable.filter((each) => isIpv6(each.address) === prefersIpv6).map(ownerOf));
  return usable.filter((each) => isIpv6(each.address) === prefersIpv6 || !preferred.has(ownerOf(each)));
}

function ownerOf(endpoint: Endpoint): string {
  return endpoint.workload === undefined ? endpoint.address : `${endpoint.workload.namespace}/${endpoint.workload.name}`;
}
