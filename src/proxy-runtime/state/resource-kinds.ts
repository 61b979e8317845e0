// The resource types that come over ADS: how each is parsed, named and decoded.
import { fromBinary } from "@bufbuild/protobuf";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Result } from "../../common/result.ts";
import { ClusterSchema } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ListenerSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import { SecretSchema } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { NameTableSchema } from "../../xds/gen/istio/nds_pb.ts";
import { NAME_TABLE_RESOURCE, TypeUrl } from "../../xds/names.ts";
import type { ClusterConfig } from "../config/cluster-config.ts";
import { decodeCluster } from "../config/decode-cluster.ts";
import { decodeEndpoints } from "../config/decode-endpoints.ts";
import { decodeListener } from "../config/decode-listener.ts";
import { decodeNameTable } from "../config/decode-name-table.ts";
import { decodeRoute } from "../config/decode-route.ts";
import { decodeSecret } from "../config/decode-secret.ts";
import type { Decoded } from "../config/decoding.ts";
import type { EndpointsConfig } from "../config/endpoint-config.ts";
import type { ListenerConfig } from "../config/listener-config.ts";
import type { RouteConfig } from "../config/route-config.ts";
import type { SecretConfig } from "../config/tls-config.ts";

export interface ResourceKind<T> {
  readonly typeUrl: string;
  /** A response holds all resources of the type: what is absent is gone. */
  readonly isWholeSet: boolean;
  /** Name of the resource even where it can't be decoded; undefined where it can't be parsed. */
  parse(bytes: Uint8Array): { readonly name: string; readonly decode: () => Result<Decoded<T>> } | undefined;
}

function kind<Desc extends DescMessage, T>(
  typeUrl: string,
  schema: Desc,
  isWholeSet: boolean,
  nameOf: (message: MessageShape<Desc>) => string,
  decode: (message: MessageShape<Desc>) => Result<Decoded<T>>,
): ResourceKind<T> {
  return {
    typeUrl,
    isWholeSet,
    parse(bytes) {
      let message: MessageShape<Desc>;
      try {
        message = fromBinary(schema, bytes);
      } catch {
        return undefined;
      }
      const name = nameOf(message);
      return { name, decode: () => decode(message) };
    },
  };
}

export const CLUSTERS: ResourceKind<ClusterConfig> = kind(
  TypeUrl.cluster,
  ClusterSchema,
  true,
  (each) => each.name,
  (each) => decodeCluster(each),
);
export const LISTENERS: ResourceKind<ListenerConfig> = kind(
  TypeUrl.listener,
  ListenerSchema,
  true,
  (each) => each.name,
  (each) => decodeListener(each),
);
export const ROUTES: ResourceKind<RouteConfig> = kind(
  TypeUrl.route,
  RouteConfigurationSchema,
  false,
  (each) => each.name,
  (each) => decodeRoute(each),
);
export const SECRETS: ResourceKind<SecretConfig> = kind(
  TypeUrl.secret,
  SecretSchema,
  false,
  (each) => each.name,
  (each) => decodeSecret(each),
);
export const ENDPOINTS: ResourceKind<EndpointsConfig> = kind(
  TypeUrl.endpoints,
  ClusterLoadAssignmentSchema,
  false,
  (each) => each.clusterName,
  (each) => decodeEndpoints(each),
);
export const NAMES: ResourceKind<ReadonlyMap<string, readonly string[]>> = kind(
  TypeUrl.nameTable,
  NameTableSchema,
  false,
  () => NAME_TABLE_RESOURCE,
  (each) => decodeNameTable(each),
);
