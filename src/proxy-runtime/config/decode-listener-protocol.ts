// HTTP protocol options of a connection manager: limits of a connection, and what HTTP/1 is accepted.
import type { Http1ProtocolOptions, HttpProtocolOptions } from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import { Http1ProtocolOptionsSchema, HttpProtocolOptionsSchema } from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import { checkHeaderKeyFormat, checkUnderscores } from "./decode-http-protocol-options.ts";
import { durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { Http1Config, HttpConnectionManagerConfig } from "./listener-config.ts";

const COMMON = fieldRules(HttpProtocolOptionsSchema, [
  "idle_timeout",
  "max_headers_count",
  "max_requests_per_connection",
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

type Limits = Pick<HttpConnectionManagerConfig, "idleTimeoutMs" | "maxRequestHeaders" | "maxRequestsPerConnection">;

export function decodeCommonDownstream(decoding: Decoding, common: HttpProtocolOptions | undefined, path: string): Limits {
  if (common === undefined) return { idleTimeoutMs: 3_600_000, maxRequestHeaders: 100, maxRequestsPerConnection: 0 };
  decoding.check(COMMON, common, path);
  checkUnderscores(decoding, common, path);
  if (common.maxHeadersCount === 0) decoding.problem(join(path, "max_headers_count"), "must be at least 1");
  return {
    idleTimeoutMs: durationMs(decoding, common.idleTimeout, join(path, "idle_timeout"), 3_600_000),
    maxRequestHeaders: common.maxHeadersCount ?? 100,
    maxRequestsPerConnection: common.maxRequestsPerConnection ?? 0,
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
