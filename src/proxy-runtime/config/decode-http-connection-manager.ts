// The network filter HttpConnectionManager → HttpConnectionManagerConfig.
import type { HttpConnectionManager } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import {
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_ForwardClientCertDetails as ForwardDetails,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  HttpConnectionManager_SetCurrentClientCertDetailsSchema,
  HttpConnectionManagerSchema,
} from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { decodeAccessLogs } from "./decode-access-log.ts";
import { requireAds } from "./decode-cluster.ts";
import { decodeHttpFilters } from "./decode-http-filters.ts";
import { decodeHttp2 } from "./decode-http2-options.ts";
import { decodeCommonDownstream, decodeHttp1 } from "./decode-listener-protocol.ts";
import { decodeRequestRules, REQUEST_RULE_FIELDS } from "./decode-request-rules.ts";
import { decodeRouteConfiguration } from "./decode-route.ts";
import { decodeManagerUpgrades } from "./decode-upgrades.ts";
import { durationMs, headText } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { ForwardClientCert, HttpConnectionManagerConfig } from "./listener-config.ts";

const MANAGER = fieldRules(
  HttpConnectionManagerSchema,
  [
    "codec_type",
    "stat_prefix",
    "rds",
    "route_config",
    "http_filters",
    "common_http_protocol_options",
    "http_protocol_options",
    "http2_protocol_options",
    "server_name",
    "server_header_transformation",
    "max_request_headers_kb",
    "stream_idle_timeout",
    "request_timeout",
    "request_headers_timeout",
    "delayed_close_timeout",
    "drain_timeout",
    "access_log",
    ...REQUEST_RULE_FIELDS,
    "forward_client_cert_details",
    "set_current_client_cert_details",
    "add_user_agent",
    "stream_error_on_invalid_http_message",
    "upgrade_configs",
  ],
  {
    http3_protocol_options: "limits of HTTP/3, which no connection here speaks",
    append_local_overload: "the proxy has no overload manager that could refuse a request",
    add_proxy_protocol_connection_state: "for the PROXY protocol, which no listener here speaks",
  },
);
const CERT_DETAILS = fieldRules(HttpConnectionManager_SetCurrentClientCertDetailsSchema, ["subject", "uri", "dns"]);

// By the numbers of the enums; HTTP3 is refused.
const CODECS: readonly HttpConnectionManagerConfig["codec"][] = ["auto", "http1", "http2"];
const FORWARD: readonly ForwardClientCert[] = ["sanitize", "forward_only", "append_forward", "sanitize_set", "always_forward_only"];
const SERVER_HEADER: Readonly<Record<ServerHeader, HttpConnectionManagerConfig["serverHeader"]>> = {
  [ServerHeader.OVERWRITE]: "overwrite",
  [ServerHeader.APPEND_IF_ABSENT]: "append_if_absent",
  [ServerHeader.PASS_THROUGH]: "pass_through",
};

/** What a connection manager has from its listener. */
export type ListenerFacts = Pick<HttpConnectionManagerConfig, "reporter" | "bufferLimitBytes">;

export function decodeHttpConnectionManager(
  decoding: Decoding,
  manager: HttpConnectionManager,
  path: string,
  listener: ListenerFacts,
): HttpConnectionManagerConfig {
  decoding.check(MANAGER, manager, path);
  if (manager.statPrefix === "") decoding.problem(join(path, "stat_prefix"), "missing");
  if (manager.addUserAgent === true) decoding.unsupported(join(path, "add_user_agent"));
  const streamError = manager.streamErrorOnInvalidHttpMessage;
  if (streamError === true && manager.codecType !== CodecType.HTTP2) {
    const hint = "for HTTP/2 set override_stream_error_on_invalid_http_message of http2_protocol_options";
    decoding.unsupported(join(path, "stream_error_on_invalid_http_message"), `an invalid HTTP/1 message ends its connection; ${hint}`);
  }
  if (manager.codecType === CodecType.HTTP3) decoding.unsupported(join(path, "codec_type"), "HTTP3; use AUTO, HTTP1 or HTTP2");
  const maxRequestHeadersKb = manager.maxRequestHeadersKb ?? 60;
  if (maxRequestHeadersKb < 1 || maxRequestHeadersKb > 8192)
    decoding.problem(join(path, "max_request_headers_kb"), `must be 1 to 8192, not ${maxRequestHeadersKb}`);
  return {
    kind: "http",
    statPrefix: manager.statPrefix,
    codec: CODECS[manager.codecType] ?? "auto",
    routes: decodeRoutes(decoding, manager, path),
    http1: decodeHttp1(decoding, manager.httpProtocolOptions, join(path, "http_protocol_options")),
    http2: decodeHttp2(decoding, manager.http2ProtocolOptions, join(path, "http2_protocol_options"), streamError),
    ...decodeRequestRules(decoding, manager, path),
    serverName: manager.serverName === "" ? "envoy" : headText(decoding, manager.serverName, join(path, "server_name")),
    serverHeader: SERVER_HEADER[manager.serverHeaderTransformation] ?? "overwrite",
    forwardClientCert: FORWARD[manager.forwardClientCertDetails] ?? "sanitize",
    setClientCertDetails: decodeCertDetails(decoding, manager, path),
    maxRequestHeadersKb,
    ...decodeTimeouts(decoding, manager, path),
    ...decodeCommonDownstream(decoding, manager.commonHttpProtocolOptions, join(path, "common_http_protocol_options")),
    upgrades: decodeManagerUpgrades(decoding, manager.upgradeConfigs, join(path, "upgrade_configs")),
    accessLogs: decodeAccessLogs(decoding, manager.accessLog, join(path, "access_log")),
    ...decodeHttpFilters(decoding, manager.httpFilters, join(path, "http_filters")),
    ...listener,
  };
}

type Timeouts = "streamIdleTimeoutMs" | "requestTimeoutMs" | "requestHeadersTimeoutMs" | "delayedCloseTimeoutMs" | "drainTimeoutMs";

function decodeTimeouts(decoding: Decoding, manager: HttpConnectionManager, path: string): Pick<HttpConnectionManagerConfig, Timeouts> {
  return {
    streamIdleTimeoutMs: durationMs(decoding, manager.streamIdleTimeout, join(path, "stream_idle_timeout"), 300_000),
    requestTimeoutMs: durationMs(decoding, manager.requestTimeout, join(path, "request_timeout"), 0),
    requestHeadersTimeoutMs: durationMs(decoding, manager.requestHeadersTimeout, join(path, "request_headers_timeout"), 0),
    delayedCloseTimeoutMs: durationMs(decoding, manager.delayedCloseTimeout, join(path, "delayed_close_timeout"), 1000),
    drainTimeoutMs: durationMs(decoding, manager.drainTimeout, join(path, "drain_timeout"), 5000),
  };
}

function decodeRoutes(decoding: Decoding, manager: HttpConnectionManager, path: string): HttpConnectionManagerConfig["routes"] {
  const specifier = manager.routeSpecifier;
  switch (specifier.case) {
    case "routeConfig":
      return { kind: "inline", config: decodeRouteConfiguration(decoding, specifier.value, join(path, "route_config")) };
    case "rds": {
      const name = specifier.value.routeConfigName;
      if (name === "") decoding.problem(join(path, "rds.route_config_name"), "missing");
      requireAds(decoding, specifier.value.configSource, join(path, "rds.config_source"));
      decoding.referToRoute(name);
      return { kind: "rds", name };
    }
    default:
      if (specifier.case === undefined) decoding.problem(path, "needs rds or route_config");
      return { kind: "rds", name: "" };
  }
}

function decodeCertDetails(
  decoding: Decoding,
  manager: HttpConnectionManager,
  path: string,
): HttpConnectionManagerConfig["setClientCertDetails"] {
  const details = manager.setCurrentClientCertDetails;
  if (details === undefined) return { subject: false, uri: false, dns: false };
  decoding.check(CERT_DETAILS, details, join(path, "set_current_client_cert_details"));
  // Envoy sets them in these two modes only, whatever is asked for here.
  const sets =
    manager.forwardClientCertDetails === ForwardDetails.APPEND_FORWARD || manager.forwardClientCertDetails === ForwardDetails.SANITIZE_SET;
  return { subject: sets && details.subject === true, uri: sets && details.uri, dns: sets && details.dns };
}
