// Protocol options of clusters: which HTTP version is spoken upstream, and for how long a connection is kept.
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Http1ProtocolOptions, HttpProtocolOptions as CommonOptions } from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import {
  Http1ProtocolOptionsSchema,
  HttpProtocolOptionsSchema as CommonOptionsSchema,
} from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import { PreserveCaseFormatterConfigSchema } from "../../xds/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts";
import type {
  HttpProtocolOptions,
  HttpProtocolOptions_AutoHttpConfig,
  HttpProtocolOptions_UseDownstreamHttpConfig,
} from "../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import {
  HttpProtocolOptions_AutoHttpConfigSchema,
  HttpProtocolOptions_ExplicitHttpConfigSchema,
  HttpProtocolOptions_UseDownstreamHttpConfigSchema,
  HttpProtocolOptionsSchema,
} from "../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import { decodeHttp2 } from "./decode-http2-options.ts";
import { durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";
import type { Http2Config } from "./http2-config.ts";
import { DEFAULT_HTTP2 } from "./http2-config.ts";

const OPTIONS = fieldRules(HttpProtocolOptionsSchema, [
  "common_http_protocol_options",
  "explicit_http_config",
  "use_downstream_protocol_config",
  "auto_config",
]);
const VERSIONS = ["http_protocol_options", "http2_protocol_options"];
const EXPLICIT = fieldRules(HttpProtocolOptions_ExplicitHttpConfigSchema, VERSIONS);
const DOWNSTREAM = fieldRules(HttpProtocolOptions_UseDownstreamHttpConfigSchema, VERSIONS);
const AUTO = fieldRules(HttpProtocolOptions_AutoHttpConfigSchema, VERSIONS);

const COMMON_UPSTREAM = fieldRules(
  CommonOptionsSchema,
  ["idle_timeout", "max_requests_per_connection", "max_connection_duration", "max_stream_duration", "max_headers_count"],
  { headers_with_underscores_action: "for requests that come in" },
);
const HTTP1_UPSTREAM = fieldRules(Http1ProtocolOptionsSchema, ["header_key_format"], {
  enable_trailers: "HTTP/1.1 trailers always pass",
  allow_absolute_url: "for requests that come in",
  accept_http_10: "for requests that come in",
  default_host_for_http_10: "for requests that come in",
  use_balsa_parser: "there is one parser",
  allow_custom_methods: "every method is accepted",
});

type Lifetime = Pick<
  ClusterConfig,
  "idleTimeoutMs" | "maxRequestsPerConnection" | "maxConnectionDurationMs" | "maxStreamDurationMs" | "maxResponseHeaders"
>;
type Versions = Pick<ClusterConfig, "protocol" | "http2">;
export type UpstreamHttp = Versions & Lifetime;

const DEFAULT_LIFETIME: Lifetime = {
  idleTimeoutMs: 3_600_000,
  maxRequestsPerConnection: 0,
  maxConnectionDurationMs: 0,
  maxStreamDurationMs: 0,
  maxResponseHeaders: 100,
};

/** typed_extension_protocol_options of a cluster; undefined when they say nothing of HTTP. */
export function decodeTypedProtocolOptions(
  decoding: Decoding,
  options: Readonly<Record<string, Any>>,
  path: string,
): UpstreamHttp | undefined {
  let found: UpstreamHttp | undefined;
  for (const [name, any] of Object.entries(options)) {
    const inner = `${path}[${JSON.stringify(name)}]`;
    const message = decoding.unpack(any, HttpProtocolOptionsSchema, inner, HttpProtocolOptionsSchema.typeName);
    if (message === undefined) continue;
    decoding.check(OPTIONS, message, inner);
    const common = decodeCommonUpstream(decoding, message.commonHttpProtocolOptions, join(inner, "common_http_protocol_options"));
    found = { ...common, ...decodeVersions(decoding, message.upstreamProtocolOptions, inner) };
  }
  return found;
}

function decodeVersions(decoding: Decoding, choice: HttpProtocolOptions["upstreamProtocolOptions"], path: string): Versions {
  switch (choice.case) {
    case "explicitHttpConfig": {
      const inner = join(path, "explicit_http_config");
      decoding.check(EXPLICIT, choice.value, inner);
      const config = choice.value.protocolConfig;
      if (config.case === "http2ProtocolOptions") {
        return { protocol: "http2", http2: decodeHttp2(decoding, config.value, join(inner, "http2_protocol_options")) };
      }
      if (config.case === "httpProtocolOptions") checkUpstreamHttp1(decoding, config.value, join(inner, "http_protocol_options"));
      else if (config.case === undefined) decoding.problem(inner, "needs http_protocol_options or http2_protocol_options");
      return { protocol: "http1", http2: DEFAULT_HTTP2 };
    }
    case "useDownstreamProtocolConfig": {
      const inner = join(path, "use_downstream_protocol_config");
      decoding.check(DOWNSTREAM, choice.value, inner);
      return { protocol: "downstream", http2: decodeBoth(decoding, choice.value, inner) };
    }
    case "autoConfig": {
      const inner = join(path, "auto_config");
      decoding.check(AUTO, choice.value, inner);
      return { protocol: "auto", http2: decodeBoth(decoding, choice.value, inner) };
    }
    default:
      decoding.problem(path, "needs one of explicit_http_config, use_downstream_protocol_config, auto_config");
      return { protocol: "http1", http2: DEFAULT_HTTP2 };
  }
}

function decodeBoth(
  decoding: Decoding,
  options: HttpProtocolOptions_UseDownstreamHttpConfig | HttpProtocolOptions_AutoHttpConfig,
  path: string,
): Http2Config {
  checkUpstreamHttp1(decoding, options.httpProtocolOptions, join(path, "http_protocol_options"));
  return decodeHttp2(decoding, options.http2ProtocolOptions, join(path, "http2_protocol_options"));
}

/** common_http_protocol_options, in whichever of its two places a cluster has it. */
export function decodeCommonUpstream(decoding: Decoding, common: CommonOptions | undefined, path: string): Lifetime {
  if (common === undefined) return DEFAULT_LIFETIME;
  decoding.check(COMMON_UPSTREAM, common, path);
  if (common.maxHeadersCount === 0) decoding.problem(join(path, "max_headers_count"), "must be at least 1");
  return {
    idleTimeoutMs: durationMs(decoding, common.idleTimeout, join(path, "idle_timeout"), DEFAULT_LIFETIME.idleTimeoutMs),
    maxRequestsPerConnection: common.maxRequestsPerConnection ?? 0,
    maxConnectionDurationMs: durationMs(decoding, common.maxConnectionDuration, join(path, "max_connection_duration"), 0),
    maxStreamDurationMs: durationMs(decoding, common.maxStreamDuration, join(path, "max_stream_duration"), 0),
    maxResponseHeaders: common.maxHeadersCount ?? DEFAULT_LIFETIME.maxResponseHeaders,
  };
}

export function checkUpstreamHttp1(decoding: Decoding, options: Http1ProtocolOptions | undefined, path: string): void {
  if (options === undefined) return;
  decoding.check(HTTP1_UPSTREAM, options, path);
  checkHeaderKeyFormat(decoding, options, path);
}

/** Header case is always kept, which is what preserve_case asks for; any other format would change it. */
export function checkHeaderKeyFormat(decoding: Decoding, options: Http1ProtocolOptions, path: string): void {
  const format = options.headerKeyFormat?.headerFormat;
  if (format === undefined || format.case === undefined) return;
  const any = format.case === "statefulFormatter" ? format.value.typedConfig : undefined;
  if (any === undefined || typeName(any) !== PreserveCaseFormatterConfigSchema.typeName) {
    decoding.unsupported(join(path, "header_key_format"), "header names keep the case they came with");
  }
}
