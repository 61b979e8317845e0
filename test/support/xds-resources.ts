// Resources in Envoy's JSON → wire bytes, as a control plane would send them.
import { create, fromJson, toBinary } from "@bufbuild/protobuf";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { EXTENSION_REGISTRY } from "../../src/proxy-runtime/config/bootstrap-json.ts";
import { ClusterSchema } from "../../src/xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../src/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ListenerSchema } from "../../src/xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../../src/xds/gen/envoy/config/route/v3/route_pb.ts";
import { SecretSchema } from "../../src/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { NameTableSchema } from "../../src/xds/gen/istio/nds_pb.ts";

const registry = EXTENSION_REGISTRY;
export const cluster = (json: JsonValue): Uint8Array => toBinary(ClusterSchema, fromJson(ClusterSchema, json, { registry }));
export const endpoints = (json: JsonValue): Uint8Array =>
  toBinary(ClusterLoadAssignmentSchema, fromJson(ClusterLoadAssignmentSchema, json));
export const listener = (json: JsonValue): Uint8Array => toBinary(ListenerSchema, fromJson(ListenerSchema, json, { registry }));
export const route = (json: JsonValue): Uint8Array =>
  toBinary(RouteConfigurationSchema, fromJson(RouteConfigurationSchema, json, { registry }));
export const secret = (json: JsonValue): Uint8Array => toBinary(SecretSchema, fromJson(SecretSchema, json));

export const names = (table: Readonly<Record<string, readonly string[]>>): Uint8Array =>
  toBinary(
    NameTableSchema,
    create(NameTableSchema, { table: Object.fromEntries(Object.entries(table).map(([host, ips]) => [host, { ips: [...ips] }])) }),
  );

/** An Any, as it stands in JSON. */
export const any = (type: string, fields: JsonObject = {}): JsonObject => ({ "@type": `type.googleapis.com/${type}`, ...fields });

export const ROUTER = { name: "envoy.filters.http.router", typed_config: any("envoy.extensions.filters.http.router.v3.Router") };
export const ADS = { ads: {}, resource_api_version: "V3" };

export const edsCluster = (name: string, more: JsonObject = {}): JsonObject => ({
  name,
  type: "EDS",
  eds_cluster_config: { eds_config: ADS },
  ...more,
});

export const assignment = (name: string, ...addresses: readonly string[]): JsonObject => ({
  cluster_name: name,
  endpoints: [{ lb_endpoints: addresses.map((address) => ({ endpoint: { address: { socket_address: { address, port_value: 8080 } } } })) }],
});

export const connectionManager = (more: JsonObject = {}): JsonObject =>
  any("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", {
    stat_prefix: "test",
    http_filters: [ROUTER],
    ...more,
  });

export const httpListener = (name: string, manager: JsonObject, more: JsonObject = {}): JsonObject => ({
  name,
  address: { socket_address: { address: "127.0.0.1", port_value: 8000 } },
  filter_chains: [{ filters: [{ name: "http", typed_config: connectionManager(manager) }] }],
  ...more,
});

export const rdsListener = (name: string, routeName: string): JsonObject =>
  httpListener(name, { rds: { config_source: ADS, route_config_name: routeName } });

export const routeTo = (name: string, ...clusters: readonly string[]): JsonObject => ({
  name,
  virtual_hosts: [
    { name: "all", domains: ["*"], routes: clusters.map((target) => ({ match: { prefix: `/${target}` }, route: { cluster: target } })) },
  ],
});
