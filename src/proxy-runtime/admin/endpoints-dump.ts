// The endpoint part of /config_dump?include_eds: ClusterLoadAssignments with the defaults that Envoy spells out.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { TypeUrl } from "../../xds/names.ts";
import { withoutDefaults } from "./answer.ts";
import type { ClusterStatus, HostStatus } from "./data-plane-view.ts";

const DEFAULT_OVERPROVISIONING = 140;

/** Adds policy, locality, health status, weight and health check config where the control plane left them out. */
export function dynamicEndpointsJson(assignment: JsonObject): JsonObject {
  const localities = (assignment["endpoints"] ?? []) as JsonObject[];
  return {
    ...assignment,
    ...(localities.length > 0 ? { endpoints: localities.map(withLocalityDefaults) } : {}),
    policy: { overprovisioning_factor: DEFAULT_OVERPROVISIONING, ...(assignment["policy"] as JsonObject | undefined) },
  };
}

function withLocalityDefaults(locality: JsonObject): JsonObject {
  const endpoints = (locality["lb_endpoints"] ?? []) as JsonObject[];
  return { locality: {}, ...locality, lb_endpoints: endpoints.map(withEndpointDefaults) };
}

function withEndpointDefaults(lbEndpoint: JsonObject): JsonObject {
  const endpoint = lbEndpoint["endpoint"] as JsonObject | undefined;
  const health = lbEndpoint["health_status"];
  return {
    ...lbEndpoint,
    ...(endpoint === undefined ? {} : { endpoint: { health_check_config: {}, ...endpoint } }),
    health_status: health === undefined || health === "UNKNOWN" ? "HEALTHY" : health,
    load_balancing_weight: lbEndpoint["load_balancing_weight"] ?? 1,
  };
}

/** Clusters whose endpoints stand in their own configuration, with the hosts that they have now. */
export function staticEndpointsJson(clusters: readonly ClusterStatus[]): { name: string; json: () => JsonObject }[] {
  return clusters
    .filter(({ config }) => config.type !== "eds" && config.type !== "original_dst")
    .map(({ config, hosts }) => ({
      name: config.name,
      json: () => ({ endpoint_config: staticAssignment(config.name, config.staticEndpoints?.overprovisioningFactor, hosts) }),
    }));
}

function staticAssignment(name: string, overprovisioning: number | undefined, hosts: readonly HostStatus[]): JsonObject {
  const localities = Map.groupBy(hosts, ({ locality, priority }) => [locality.region, locality.zone, locality.subZone, priority].join("/"));
  return {
    "@type": TypeUrl.endpoints,
    cluster_name: name,
    endpoints: [...localities.values()].map((members) => localityJson(members)),
    policy: { overprovisioning_factor: overprovisioning ?? DEFAULT_OVERPROVISIONING },
  };
}

function localityJson(members: readonly HostStatus[]): JsonValue {
  const { locality, priority } = members[0]!;
  return {
    locality: withoutDefaults({ region: locality.region, zone: locality.zone, sub_zone: locality.subZone }) as JsonObject,
    lb_endpoints: members.map(({ ip, port, endpoint }) => ({
      endpoint: {
        address: { socket_address: { address: ip, port_value: port } },
        health_check_config: {},
        ...(endpoint.hostname === "" ? {} : { hostname: endpoint.hostname }),
      },
      health_status: endpoint.health === "unknown" ? "HEALTHY" : endpoint.health.toUpperCase(),
      load_balancing_weight: endpoint.weight,
    })),
    ...(priority === 0 ? {} : { priority }),
  };
}
