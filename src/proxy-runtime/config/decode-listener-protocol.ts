// HTTP protocol options of a connection manager: limits of a connection, and what HTTP/1 is accepted.
import type { Http1ProtocolOptions, HttpProtocolOptions } from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import {
  Http1ProtocolOptionsSchema,
  HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores,
  HttpProtocolOptionsSchema,
} from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import { checkHeaderKeyFormat } from "./decode-http-protocol-options.ts";
import { durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { Http1Config, HttpConnectionManagerConfig } from "./listener-config.ts";

const COMMON = fieldRules(HttpProtocolOptionsSchema, [
  "idle_timeout",
  "max_headers_count",
  "max_requests_per_connection",
  "max_connection_duration",
  "max_stream_duration",
  "headers_with_underscores_action",
]);
const HTTP1 = fieldRules(
  Http1ProtocolOptionsSchema,
  [
    "allow_absolute_url",
    "accept_http_10",
    "default_host_for_http_10",
    "header_key_format",
    "allow_chunked_length",
    "override_stream_error_on_invalid_http_message",
  ],
  {
    enable_trailers: "HTTP/1.1 trailers always pass",
    use_balsa_parser: "there is one parser",
    allow_custom_methods: "every method is accepted",
  },
);

type Limits = Pick<
  HttpConnectionManagerConfig,
  | "idleTimeoutMs"
  | "maxConnectionDurationMs"
  | "maxStreamDurationMs"
  | "maxRequestHeaders"
  | "maxRequestsPerConnection"
  | "headersWithUnderscores"
>;

const DEFAULT_LIMITS: Limits = {
  idleTimeoutMs: 3_600_000,
  maxConnectionDurationMs: 0,
  maxStreamDurationMs: 0,
  maxRequestHeaders: 100,
  maxRequestsPerConnection: 0,
  headersWithUnderscores: "allow",
};

const UNDERSCORES: Readonly<Record<Underscores, Limits["headersWithUnderscores"]>> = {
  [Underscores.ALLOW]: "allow",
  [Underscores.REJECT_REQUEST]: "reject",
  [Underscores.DROP_HEADER]: "drop",
};

export function decodeCommonDownstream(decoding: Decoding, common: HttpProtocolOptions | undefined, path: string): Limits {
  if (common === undefined) return DEFAULT_LIMITS;
  decoding.check(COMMON, common, path);
  if (common.maxHeadersCount === 0) decoding.problem(join(path, "max_headers_count"), "must be at least 1");
  return {
    idleTimeoutMs: durationMs(decoding, common.idleTimeout, join(path, "idle_timeout"), DEFAULT_LIMITS.idleTimeoutMs),
    maxConnectionDurationMs: durationMs(decoding, common.maxConnectionDuration, join(path, "max_connection_duration"), 0),
    maxStreamDurationMs: durationMs(decoding, common.maxStreamDuration, join(path, "max_stream_duration"), 0),
    maxRequestHeaders: common.maxHeadersCount ?? DEFAULT_LIMITS.maxRequestHeaders,
    maxRequestsPerConnection: common.maxRequestsPerConnection ?? 0,
    headersWithUnderscores: UNDERSCORES[common.headersWithUnderscoresAction] ?? "allow",
  };
}

export function decodeHttp1(decoding: Decoding, options: Http1ProtocolOptions | undefined, path: string): Http1Config {
  if (options === undefined) return { acceptHttp10: false, defaultHostForHttp10: "", allowChunkedLength: false };
  decoding.check(HTTP1, options, path);
  checkHeaderKeyFormat(decoding, options, path);
  // RFC 9112 §3.2.2: a server must accept the absolute form.
  if (options.allowAbsoluteUrl === false) decoding.unsupported(join(path, "allow_absolute_url"), "absolute targets are always accepted");
  if (options.overrideStreamErrorOnInvalidHttpMessage === true) {
    decoding.unsupported(join(path, "override_stream_error_on_invalid_http_message"), "an invalid message ends its connection");
  }
  return {
    acceptHttp10: options.acceptHttp10,
    defaultHostForHttp10: options.defaultHostForHttp10,
    allowChunkedLength: options.allowChunkedLength,
  };
}
