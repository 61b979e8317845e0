// Which version of HTTP a cluster's hosts are spoken to in. The version that a client speaks reaches the workload, except
// where the port is declared to take HTTP/2 only.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { HttpProtocolOptionsSchema } from "../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import type { PortProtocol } from "../registry/mesh-snapshot.ts";
import { isRelayed } from "../registry/port-protocol.ts";
import { pack, toDuration } from "./wire-values.ts";

export type HttpOptions = Record<string, ReturnType<typeof pack>>;

export interface HttpPoolSettings {
  readonly idleTimeoutMs: number | undefined;
  readonly maxRequestsPerConnection: number | undefined;
  readonly maxConnectionDurationMs: number | undefined;
}

const UNSET: HttpPoolSettings = { idleTimeoutMs: undefined, maxRequestsPerConnection: undefined, maxConnectionDurationMs: undefined };

// Node's servers, among many, close a connection that was idle for 5 s, and a request that crosses the close fails. The
// mesh transport, whose far end is no such server, keeps its connections for longer.
const IDLE_TIMEOUT_MS = 4_000;

// Extended CONNECT carries WebSocket over a stream, where the other side has announced that it takes it (RFC 8441 §3).
const HTTP2 = { allowConnect: true };

type Init = MessageInitShape<typeof HttpProtocolOptionsSchema>;

const VERSIONS: Readonly<Record<PortProtocol, Init["upstreamProtocolOptions"]>> = {
  http: { case: "useDownstreamProtocolConfig", value: { httpProtocolOptions: {}, http2ProtocolOptions: HTTP2 } },
  auto: { case: "useDownstreamProtocolConfig", value: { httpProtocolOptions: {}, http2ProtocolOptions: HTTP2 } },
  http2: { case: "explicitHttpConfig", value: { protocolConfig: { case: "http2ProtocolOptions", value: HTTP2 } } },
  tls: { case: "explicitHttpConfig", value: { protocolConfig: { case: "httpProtocolOptions", value: {} } } },
  tcp: { case: "explicitHttpConfig", value: { protocolConfig: { case: "httpProtocolOptions", value: {} } } },
};

/** typed_extension_protocol_options of a cluster; none where nothing differs from Envoy's defaults. */
export function httpOptions(protocol: PortProtocol, pool: HttpPoolSettings = UNSET): HttpOptions {
  const { maxRequestsPerConnection, maxConnectionDurationMs } = pool;
  const idleTimeoutMs = pool.idleTimeoutMs ?? (isRelayed(protocol) ? undefined : IDLE_TIMEOUT_MS);
  if (idleTimeoutMs === undefined && !maxRequestsPerConnection && maxConnectionDurationMs === undefined) return {};
  return {
    [HttpProtocolOptionsSchema.typeName]: pack(HttpProtocolOptionsSchema, {
      commonHttpProtocolOptions: {
        ...(idleTimeoutMs === undefined ? {} : { idleTimeout: toDuration(idleTimeoutMs) }),
        ...(maxRequestsPerConnection ? { maxRequestsPerConnection } : {}),
        ...(maxConnectionDurationMs === undefined ? {} : { maxConnectionDuration: toDuration(maxConnectionDurationMs) }),
      },
      upstreamProtocolOptions: VERSIONS[protocol],
    }),
  };
}
