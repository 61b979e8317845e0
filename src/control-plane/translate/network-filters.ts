// The two network filters of a sidecar's filter chains: the HTTP connection manager and the TCP proxy, with what the
// mesh wants and Envoy doesn't default to. Both sides of the mesh take them from here.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { AccessLogSchema } from "../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import type { AccessLog } from "../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import { FilterSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { Filter } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { FileAccessLogSchema } from "../../xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts";
import { RouterSchema } from "../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
} from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { TcpProxySchema } from "../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import type { MeshSettings, PathNormalization } from "../registry/mesh-snapshot.ts";
import { pack, toDuration } from "./wire-values.ts";

export interface WeightedTarget {
  readonly cluster: string;
  readonly weight: number;
}

const { UNESCAPE_AND_FORWARD } = HttpConnectionManager_PathWithEscapedSlashesAction;

const PATHS = {
  NONE: { normalizePath: false },
  BASE: { normalizePath: true },
  MERGE_SLASHES: { normalizePath: true, mergeSlashes: true },
  DECODE_AND_MERGE_SLASHES: { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: UNESCAPE_AND_FORWARD },
} as const satisfies Record<PathNormalization, object>;

export function httpManager(
  settings: MeshSettings,
  side: "inbound" | "outbound",
  statPrefix: string,
  routeSpecifier: MessageInitShape<typeof HttpConnectionManagerSchema>["routeSpecifier"],
): Filter {
  return create(FilterSchema, {
    name: "envoy.filters.network.http_connection_manager",
    configType: {
      case: "typedConfig",
      value: pack(HttpConnectionManagerSchema, {
        codecType: HttpConnectionManager_CodecType.AUTO,
        statPrefix,
        routeSpecifier,
        httpFilters: [{ name: "envoy.filters.http.router", configType: { case: "typedConfig", value: pack(RouterSchema, {}) } }],
        httpProtocolOptions: { acceptHttp10: true },
        http2ProtocolOptions: { allowConnect: true },
        // WebSocket, as Istio, and whatever else two applications agree on; CONNECT only where a route asks for it.
        upgradeConfigs: [{ upgradeType: "websocket" }, { upgradeType: "*" }],
        useRemoteAddress: false,
        ...PATHS[settings.pathNormalization],
        streamIdleTimeout: toDuration(0),
        // The application's own `server` header reaches its client as it is.
        serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
        accessLog: accessLogs(settings),
        ...(side === "inbound"
          ? {
              forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD,
              setCurrentClientCertDetails: { subject: true, uri: true, dns: true },
            }
          : { forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE }),
      }),
    },
  });
}

/** How long a relayed connection may live; undefined: as Envoy defaults, an hour without a byte and no limit. */
export interface RelayLimits {
  readonly idleTimeoutMs: number | undefined;
  readonly maxConnectionDurationMs: number | undefined;
}

const NO_LIMITS: RelayLimits = { idleTimeoutMs: undefined, maxConnectionDurationMs: undefined };

export function tcpProxy(
  settings: MeshSettings,
  statPrefix: string,
  targets: readonly WeightedTarget[],
  { idleTimeoutMs, maxConnectionDurationMs }: RelayLimits = NO_LIMITS,
): Filter {
  const [first] = targets;
  return create(FilterSchema, {
    name: "envoy.filters.network.tcp_proxy",
    configType: {
      case: "typedConfig",
      value: pack(TcpProxySchema, {
        statPrefix,
        clusterSpecifier:
          targets.length === 1 && first !== undefined
            ? { case: "cluster", value: first.cluster }
            : { case: "weightedClusters", value: { clusters: targets.map((each) => ({ name: each.cluster, weight: each.weight })) } },
        ...(idleTimeoutMs === undefined ? {} : { idleTimeout: toDuration(idleTimeoutMs) }),
        ...(maxConnectionDurationMs === undefined ? {} : { maxDownstreamConnectionDuration: toDuration(maxConnectionDurationMs) }),
        accessLog: accessLogs(settings),
      }),
    },
  });
}

/** Envoy's default format: no format of our own is set. */
function accessLogs(settings: MeshSettings): AccessLog[] {
  if (settings.accessLogPath === undefined) return [];
  return [
    create(AccessLogSchema, {
      name: "envoy.access_loggers.file",
      configType: { case: "typedConfig", value: pack(FileAccessLogSchema, { path: settings.accessLogPath }) },
    }),
  ];
}
