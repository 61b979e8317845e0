// What translate produces: xDS resources by type, each under its name.
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { ClusterSchema } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { Cluster } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { ClusterLoadAssignment } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ListenerSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import type { Listener } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import type { RouteConfiguration } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import { NameTableSchema } from "../../xds/gen/istio/nds_pb.ts";
import type { NameTable } from "../../xds/gen/istio/nds_pb.ts";

export interface Resources {
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly endpoints: ReadonlyMap<string, ClusterLoadAssignment>;
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly routes: ReadonlyMap<string, RouteConfiguration>;
  readonly nameTables: ReadonlyMap<string, NameTable>;
}

export const RESOURCE_SCHEMAS: Readonly<Record<keyof Resources, GenMessage<Message>>> = {
  clusters: ClusterSchema,
  endpoints: ClusterLoadAssignmentSchema,
  listeners: ListenerSchema,
  routes: RouteConfigurationSchema,
  nameTables: NameTableSchema,
};

export function byName<T extends { readonly name: string }>(items: Iterable<T>): Map<string, T> {
  return new Map([...items].map((each) => [each.name, each]));
}
