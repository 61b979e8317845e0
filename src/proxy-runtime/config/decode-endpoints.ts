// ClusterLoadAssignment, from EDS or inline in a cluster → EndpointsConfig.
import type { Result } from "../../common/result.ts";
import type { ClusterLoadAssignment } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ClusterLoadAssignment_PolicySchema, ClusterLoadAssignmentSchema } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { LbEndpoint, LocalityLbEndpoints } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
import {
  EndpointSchema,
  LbEndpointSchema,
  LocalityLbEndpointsSchema,
} from "../../xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
import { MetadataKey } from "../../xds/names.ts";
import { istioMetadata, socketAddress } from "./decode-values.ts";
import type { Decoded, Decoding } from "./decoding.ts";
import { decodeResource, fieldRules, join } from "./decoding.ts";
import type { EndpointConfig, EndpointsConfig, HealthStatus, LocalityEndpoints } from "./endpoint-config.ts";

const ASSIGNMENT = fieldRules(ClusterLoadAssignmentSchema, ["cluster_name", "endpoints", "policy"]);
const POLICY = fieldRules(ClusterLoadAssignment_PolicySchema, ["overprovisioning_factor"]);
const LOCALITY = fieldRules(LocalityLbEndpointsSchema, ["locality", "lb_endpoints", "load_balancing_weight", "priority"], {
  metadata: "nothing reads a locality's metadata",
  proximity: "read by no load balancer of Envoy either",
});
const LB_ENDPOINT = fieldRules(LbEndpointSchema, ["endpoint", "health_status", "metadata", "load_balancing_weight"]);
const ENDPOINT = fieldRules(EndpointSchema, ["address", "hostname"], {
  health_check_config: "for active health checks, which a cluster may not ask for",
});

// By the number of the HealthStatus enum.
const HEALTH: readonly HealthStatus[] = ["unknown", "healthy", "unhealthy", "draining", "timeout", "degraded"];

export function decodeEndpoints(input: Uint8Array | ClusterLoadAssignment, path = ""): Result<Decoded<EndpointsConfig>> {
  return decodeResource(ClusterLoadAssignmentSchema, input, path, (decoding, assignment) =>
    decodeAssignment(decoding, assignment, path, { names: false }),
  );
}

/** @param options.names whether addresses may be host names, which is for the clusters that resolve them. */
export function decodeAssignment(
  decoding: Decoding,
  assignment: ClusterLoadAssignment,
  path: string,
  options: { readonly names: boolean },
): EndpointsConfig {
  decoding.check(ASSIGNMENT, assignment, path);
  if (assignment.clusterName === "") decoding.problem(join(path, "cluster_name"), "missing");
  if (assignment.policy !== undefined) decoding.check(POLICY, assignment.policy, join(path, "policy"));
  const overprovisioningFactor = assignment.policy?.overprovisioningFactor ?? 140;
  if (overprovisioningFactor === 0) decoding.problem(join(path, "policy.overprovisioning_factor"), "must be above 0");
  const localities = assignment.endpoints.map((each, index) =>
    decodeLocality(decoding, each, `${join(path, "endpoints")}[${index}]`, options),
  );
  return { name: assignment.clusterName, localities, overprovisioningFactor };
}

function decodeLocality(
  decoding: Decoding,
  locality: LocalityLbEndpoints,
  path: string,
  options: { readonly names: boolean },
): LocalityEndpoints {
  decoding.check(LOCALITY, locality, path);
  if (locality.priority > 128) decoding.problem(join(path, "priority"), `must be at most 128, not ${locality.priority}`);
  return {
    region: locality.locality?.region ?? "",
    zone: locality.locality?.zone ?? "",
    subZone: locality.locality?.subZone ?? "",
    priority: locality.priority,
    weight: locality.loadBalancingWeight ?? 1,
    endpoints: locality.lbEndpoints.flatMap(
      (each, index) => decodeEndpoint(decoding, each, `${join(path, "lb_endpoints")}[${index}]`, options) ?? [],
    ),
  };
}

function decodeEndpoint(
  decoding: Decoding,
  endpoint: LbEndpoint,
  path: string,
  options: { readonly names: boolean },
): EndpointConfig | undefined {
  decoding.check(LB_ENDPOINT, endpoint, path);
  if (endpoint.hostIdentifier.case !== "endpoint") {
    if (endpoint.hostIdentifier.case === undefined) decoding.problem(join(path, "endpoint"), "missing");
    return undefined;
  }
  const inner = endpoint.hostIdentifier.value;
  const innerPath = join(path, "endpoint");
  decoding.check(ENDPOINT, inner, innerPath);
  const address = socketAddress(decoding, inner.address, join(innerPath, "address"), options);
  if (endpoint.loadBalancingWeight === 0) decoding.problem(join(path, "load_balancing_weight"), "must be at least 1");
  if (address === undefined) return undefined;
  const workload = istioMetadata(endpoint.metadata)["workload"];
  return {
    address: address.host,
    port: address.port,
    hostname: inner.hostname,
    weight: endpoint.loadBalancingWeight ?? 1,
    health: HEALTH[endpoint.healthStatus] ?? "unknown",
    transportSocketMatch: textMembers(endpoint.metadata?.filterMetadata[MetadataKey.transportSocketMatch]),
    workload: typeof workload === "string" ? workload : undefined,
  };
}

const NO_MEMBERS: Readonly<Record<string, string>> = {};

/** The members of a metadata object that are text: what matches compare with. */
export function textMembers(object: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, string>> {
  if (object === undefined) return NO_MEMBERS;
  return Object.fromEntries(Object.entries(object).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
