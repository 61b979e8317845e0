// Protocol options of clusters: which HTTP version is spoken upstream, and for how long a connection is kept.
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Http1ProtocolOptions, HttpProtocolOptions as CommonOptions } from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import {
  Http1ProtocolOptionsSchema,
  HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores,
  HttpProtocolOptionsSchema as CommonOptionsSchema,
} from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import { PreserveCaseFormatterConfigSchema } from "../../xds/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts";
import type { HttpProtocolOptions } from "../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import {
  HttpProtocolOptions_AutoHttpConfigSchema,
  HttpProtocolOptions_ExplicitHttpConfigSchema,
  HttpProtocolOptions_UseDownstreamHttpConfigSchema,
  HttpProtocolOptionsSchema,
} from "../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import { durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";

const OPTIONS = fieldRules(HttpProtocolOptionsSchema, [
  "common_http_protocol_options",
  "explicit_http_config",
  "use_downstream_protocol_config",
  "auto_config",
]);
const HTTP2_TUNING = "windows and limits of HTTP/2, where our own are bounded";
const EXPLICIT = fieldRules(HttpProtocolOptions_ExplicitHttpConfigSchema, ["http_protocol_options", "http2_protocol_options"]);
const DOWNSTREAM = fieldRules(HttpProtocolOptions_UseDownstreamHttpConfigSchema, ["http_protocol_options"], {
  http2_protocol_options: HTTP2_TUNING,
});
const AUTO = fieldRules(HttpProtocolOptions_AutoHttpConfigSchema, ["http_protocol_options"], { http2_protocol_options: HTTP2_TUNING });

const COMMON_UPSTREAM = fieldRules(CommonOptionsSchema, ["idle_timeout", "max_requests_per_connection", "headers_with_underscores_action"]);
const HTTP1_UPSTREAM = fieldRules(Http1ProtocolOptionsSchema, ["header_key_format"], {
  enable_trailers: "HTTP/1.1 trailers always pass",
  allow_absolute_url: "for requests that come in",
  accept_http_10: "for requests that come in",
  default_host_for_http_10: "for requests that come in",
  use_balsa_parser: "there is one parser",
  allow_custom_methods: "every method is accepted",
});

export type UpstreamHttp = Pick<ClusterConfig, "protocol" | "idleTimeoutMs" | "maxRequestsPerConnection">;

export const DEFAULT_UPSTREAM_HTTP: UpstreamHttp = { protocol: "http1", idleTimeoutMs: 3_600_000, maxRequestsPerConnection: 0 };

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
    found = { ...common, protocol: decodeProtocol(decoding, message.upstreamProtocolOptions, inner) };
  }
  return found;
}

function decodeProtocol(
  decoding: Decoding,
  choice: HttpProtocolOptions["upstreamProtocolOptions"],
  path: string,
): ClusterConfig["protocol"] {
  switch (choice.case) {
    case "explicitHttpConfig": {
      const inner = join(path, "explicit_http_config");
      decoding.check(EXPLICIT, choice.value, inner);
      const config = choice.value.protocolConfig;
      if (config.case === "httpProtocolOptions") checkUpstreamHttp1(decoding, config.value, join(inner, "http_protocol_options"));
      else if (config.case === undefined) decoding.problem(inner, "needs http_protocol_options or http2_protocol_options");
      return config.case === "http2ProtocolOptions" ? "http2" : "http1";
    }
    case "useDownstreamProtocolConfig":
      decoding.check(DOWNSTREAM, choice.value, join(path, "use_downstream_protocol_config"));
      checkUpstreamHttp1(decoding, choice.value.httpProtocolOptions, join(path, "use_downstream_protocol_config.http_protocol_options"));
      return "downstream";
    case "autoConfig":
      decoding.check(AUTO, choice.value, join(path, "auto_config"));
      checkUpstreamHttp1(decoding, choice.value.httpProtocolOptions, join(path, "auto_config.http_protocol_options"));
      return "auto";
    default:
      decoding.problem(path, "needs one of explicit_http_config, use_downstream_protocol_config, auto_config");
      return "http1";
  }
}

/** common_http_protocol_options, in whichever of its two places a cluster has it. */
export function decodeCommonUpstream(decoding: Decoding, common: CommonOptions | undefined, path: string): Omit<UpstreamHttp, "protocol"> {
  if (common === undefined) return { idleTimeoutMs: DEFAULT_UPSTREAM_HTTP.idleTimeoutMs, maxRequestsPerConnection: 0 };
  decoding.check(COMMON_UPSTREAM, common, path);
  checkUnderscores(decoding, common, path);
  return {
    idleTimeoutMs: durationMs(decoding, common.idleTimeout, join(path, "idle_timeout"), DEFAULT_UPSTREAM_HTTP.idleTimeoutMs),
    maxRequestsPerConnection: common.maxRequestsPerConnection ?? 0,
  };
}

export function checkUnderscores(decoding: Decoding, common: CommonOptions, path: string): void {
  if (common.headersWithUnderscoresAction !== Underscores.ALLOW)
    decoding.unsupported(join(path, "headers_with_underscores_action"), "only ALLOW");
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
