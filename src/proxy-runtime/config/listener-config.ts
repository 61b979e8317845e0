// Listeners: where connections arrive, how a filter chain is chosen and what its filters do. Defaults are Envoy's.
import type { AccessLogConfig } from "./access-log-config.ts";
import type { Http2Config } from "./http2-config.ts";
import type { KeepaliveConfig } from "./keepalive-config.ts";
import type { PortRanges } from "./port-ranges.ts";
import type { RouteConfig } from "./route-config.ts";
import type { DownstreamTlsConfig } from "./tls-config.ts";
import type { Upgrades } from "./upgrades.ts";

export interface CidrConfig {
  readonly address: string;
  readonly prefixLength: number;
}

/** Envoy's FilterChainMatch; an empty list or undefined matches anything. */
export interface FilterChainMatch {
  readonly destinationPort: number | undefined;
  readonly destinationRanges: readonly CidrConfig[];
  /** Exact or `*.suffix`. */
  readonly serverNames: readonly string[];
  readonly transportProtocol: "tls" | "raw_buffer" | undefined;
  readonly applicationProtocols: readonly string[];
  readonly directSourceRanges: readonly CidrConfig[];
  readonly sourceRanges: readonly CidrConfig[];
  readonly sourcePorts: readonly number[];
}

export interface Http1Config {
  readonly acceptHttp10: boolean;
  readonly defaultHostForHttp10: string;
  /** Content-Length beside chunked: 400, or drop the length (Envoy's allow_chunked_length). */
  readonly allowChunkedLength: boolean;
}

/** How x-forwarded-client-cert is treated. */
export type ForwardClientCert = "sanitize" | "forward_only" | "append_forward" | "sanitize_set" | "always_forward_only";

export interface HttpConnectionManagerConfig {
  readonly kind: "http";
  readonly statPrefix: string;
  readonly codec: "auto" | "http1" | "http2";
  /** Either a name in ProxyConfig.routes or the routes themselves. */
  readonly routes: { readonly kind: "rds"; readonly name: string } | { readonly kind: "inline"; readonly config: RouteConfig };
  /** HTTP filters before the router, in order; the router itself is implied last. */
  readonly filters: readonly HttpFilterConfig[];
  readonly http1: Http1Config;
  readonly http2: Http2Config;
  /** The client is whoever has connected, and x-forwarded-for gets its address; else it is the last one there. */
  readonly useRemoteAddress: boolean;
  readonly skipXffAppend: boolean;
  /** So many proxies before us are trusted to have written x-forwarded-for. */
  readonly xffTrustedHops: number;
  /** A request from one of these, and through nobody else, is internal: it may steer the proxy by `x-envoy-` headers. */
  readonly internalRanges: readonly CidrConfig[];
  readonly appendForwardedPort: boolean;
  /** What scheme requests are taken to have, whatever they came over. */
  readonly schemeOverwrite: "http" | "https" | undefined;
  /** Added to the `via` header of requests and responses; empty: none. */
  readonly via: string;
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly alwaysSetRequestIdInResponse: boolean;
  /** Which port is taken off a request's host: none, the listener's own, or any. */
  readonly stripHostPort: "none" | "matching" | "any";
  readonly stripTrailingHostDot: boolean;
  readonly headersWithUnderscores: "allow" | "reject" | "drop";
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: "keep" | "reject" | "unescape_and_forward" | "unescape_and_redirect";
  /** Text of the `server` response header; default envoy. */
  readonly serverName: string;
  readonly serverHeader: "overwrite" | "append_if_absent" | "pass_through";
  readonly forwardClientCert: ForwardClientCert;
  readonly setClientCertDetails: { readonly subject: boolean; readonly uri: boolean; readonly dns: boolean };
  readonly maxRequestHeadersKb: number;
  readonly maxRequestHeaders: number;
  /** Connection without streams; default 3600000, 0 never. */
  readonly idleTimeoutMs: number;
  /** Stream without a byte either way; default 300000, 0 never. */
  readonly streamIdleTimeoutMs: number;
  /** A connection that is older takes no more requests; 0 never. */
  readonly maxConnectionDurationMs: number;
  /** From a request's head to the end of its response, where its route says nothing; 0 without limit. */
  readonly maxStreamDurationMs: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly maxRequestsPerConnection: number;
  readonly delayedCloseTimeoutMs: number;
  /** Of a request's body so much is kept for another try, where its route says nothing; the listener's, default 1 MiB. */
  readonly bufferLimitBytes: number;
  readonly router: RouterFilterConfig;
  /**
   * HTTP/2: between the GOAWAY that announces a drain and the one that refuses streams. HTTP/1: for so long an idle
   * connection is left to a client that may be writing its next request. Default 5000.
   */
  readonly drainTimeoutMs: number;
  /** Which upgrades pass where a route says nothing; none by default. */
  readonly upgrades: Upgrades;
  readonly accessLogs: readonly AccessLogConfig[];
  /** Which side's istio_* metrics are written; undefined: none. */
  readonly reporter: "source" | "destination" | undefined;
}

/** The HTTP filter that ends every chain. */
export interface RouterFilterConfig {
  readonly suppressEnvoyHeaders: boolean;
  /** x-envoy-expected-rq-timeout-ms of a client's sidecar is the request's timeout. */
  readonly respectExpectedTimeout: boolean;
}

/** HTTP filters beside the router. `buffer`: a request goes on when it is whole, and is refused when it is too large. */
export interface HttpFilterConfig {
  readonly kind: "buffer";
  readonly maxRequestBytes: number;
}

export interface TcpProxyConfig {
  readonly kind: "tcp";
  readonly statPrefix: string;
  readonly clusters: readonly { readonly cluster: string; readonly weight: number }[];
  /** Default 3600000, 0 never. */
  readonly idleTimeoutMs: number;
  /** However busy it is; 0 without limit. */
  readonly maxDownstreamConnectionDurationMs: number;
  /** Hosts that are tried before the client is told; default 1. */
  readonly maxConnectAttempts: number;
  readonly accessLogs: readonly AccessLogConfig[];
  readonly reporter: "source" | "destination" | undefined;
}

export interface FilterChainConfig {
  readonly name: string;
  readonly match: FilterChainMatch;
  /** undefined: plaintext. */
  readonly tls: DownstreamTlsConfig | undefined;
  readonly filter: HttpConnectionManagerConfig | TcpProxyConfig;
  /** TLS handshake and sniffing must end within this; 0 never. */
  readonly transportSocketConnectTimeoutMs: number;
}

export interface ListenerAddress {
  readonly host: string;
  readonly port: number;
  /** `::` accepts IPv4 too; Envoy's default is not to. */
  readonly ipv4Compat?: boolean;
}

export interface ListenerConfig {
  readonly name: string;
  readonly address: ListenerAddress;
  readonly additionalAddresses: readonly ListenerAddress[];
  /** false: no socket of its own; connections are handed over by a listener with useOriginalDst. */
  readonly bindToPort: boolean;
  /** Hand a connection to the listener whose address fits its original destination best (Envoy use_original_dst). */
  readonly useOriginalDst: boolean;
  /** The listener filter original_dst is there: ask the kernel where the connection was going. */
  readonly restoreOriginalDst: boolean;
  /** Connections to these ports are looked at for TLS, its server name and ALPN. */
  readonly tlsInspectorPorts: PortRanges;
  /** Connections to these ports are looked at for plaintext HTTP. */
  readonly httpInspectorPorts: PortRanges;
  /** How long sniffing may wait for first bytes; default 15000, 0 for ever. */
  readonly listenerFiltersTimeoutMs: number;
  /** After that time go on with what is known rather than close. */
  readonly continueOnListenerFiltersTimeout: boolean;
  readonly direction: "inbound" | "outbound" | "unspecified";
  /** Of accepted connections; undefined: off. */
  readonly tcpKeepalive: KeepaliveConfig | undefined;
  readonly filterChains: readonly FilterChainConfig[];
  readonly defaultFilterChain: FilterChainConfig | undefined;
  readonly statPrefix: string;
}
