// Which version of HTTP a cluster's hosts are spoken to in. The version that a client speaks reaches the workload, except
// where the port is declared to take HTTP/2 only.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { HttpProtocolOptionsSchema } from "../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import type { PortProtocol } from "../registry/mesh-snapshot.ts";
import { pack, toDuration } from "./wire-values.ts";

export type HttpOptions = Record<string, ReturnType<typeof pack>>;

export interface HttpPoolSettings {
  readonly idleTimeoutMs: number | undefined;
  readonly maxRequestsPerConnection: number | undefined;
}

const UNSET: HttpPoolSettings = { idleTimeoutMs: undefined, maxRequestsPerConnection: undefined };

// Extended CONNECT carries WebSocket over a stream, where the other side has announced that it takes it (RFC 8441 §3).
const HTTP2 = { allowConnect: true };

type Init = MessageInitShape<typeof HttpProtocolOptionsSchema>;

const VERSIONS: Readonly<Record<PortProtocol, Init["upstreamProtocolOptions"]>> = {
  http: { case: "useDownstreamProtocolConfig", value: { httpProtocolOptions: {}, http2ProtocolOptions: HTTP2 } },
  auto: { case: "useDownstreamProtocolConfig", value: { httpProtocolOptions: {}, http2ProtocolOptions: HTTP2 } },
  http2: { case: "explicitHttpConfig", value: { protocolConfig: { case: "http2ProtocolOptions", value: HTTP2 } } },
  tcp: { case: "explicitHttpConfig", value: { protocolConfig: { case: "httpProtocolOptions", value: {} } } },
};

/** typed_extension_protocol_options of a cluster; none where neither version nor pool differ from Envoy's default. */
export function httpOptions(protocol: PortProtocol, pool: HttpPoolSettings = UNSET): HttpOptions {
  const { idleTimeoutMs, maxRequestsPerConnection } = pool;
  const hasPool = idleTimeoutMs !== undefined || Boolean(maxRequestsPerConnection);
  if (protocol === "tcp" && !hasPool) return {};
  return {
    [HttpProtocolOptionsSchema.typeName]: pack(HttpProtocolOptionsSchema, {
      ...(hasPool
        ? {
            commonHttpProtocolOptions: {
              ...(idleTimeoutMs === undefined ? {} : { idleTimeout: toDuration(idleTimeoutMs) }),
              ...(maxRequestsPerConnection ? { maxRequestsPerConnection } : {}),
            },
          }
        : {}),
      upstreamProtocolOptions: VERSIONS[protocol],
    }),
  };
}
