// A cluster: what upstream hosts there are, how one is picked and how it is spoken to. Defaults are Envoy's.
import type { EndpointsConfig } from "./endpoint-config.ts";
import type { Http2Config } from "./http2-config.ts";
import type { KeepaliveConfig } from "./keepalive-config.ts";
import type { UpstreamTlsConfig } from "./tls-config.ts";

export type DiscoveryType = "eds" | "static" | "strict_dns" | "logical_dns" | "original_dst";
export type LoadBalancerPolicy = "round_robin" | "least_request" | "random" | "cluster_provided";

export interface CircuitBreakerConfig {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** In place of maxRetries: so many percent of the requests under way, and always so many. */
  readonly retryBudget: { readonly percent: number; readonly minRetries: number } | undefined;
}

export interface TransportSocketMatchConfig {
  readonly name: string;
  /** All pairs must be in the endpoint's transportSocketMatch; an empty match fits every endpoint. */
  readonly match: Readonly<Record<string, string>>;
  /** undefined: plaintext. */
  readonly tls: UpstreamTlsConfig | undefined;
}

export interface ClusterConfig {
  readonly name: string;
  /** Name in stats, where it differs. */
  readonly statName: string;
  readonly type: DiscoveryType;
  /** Key into ProxyConfig.endpoints (type eds). */
  readonly edsServiceName: string;
  /** Inline load assignment (static, strict_dns, logical_dns); addresses of the dns types may be names. */
  readonly staticEndpoints: EndpointsConfig | undefined;
  /** Includes the TLS handshake. Default 5000. */
  readonly connectTimeoutMs: number;
  readonly lbPolicy: LoadBalancerPolicy;
  /** LEAST_REQUEST: hosts compared; default 2. */
  readonly leastRequestChoices: number;
  /** Percent below which all hosts are used, healthy or not; default 50, 0 never. */
  readonly panicThreshold: number;
  readonly circuitBreakers: { readonly default: CircuitBreakerConfig; readonly high: CircuitBreakerConfig };
  /** First match wins; without a match `tls` is used. */
  readonly transportSocketMatches: readonly TransportSocketMatchConfig[];
  readonly tls: UpstreamTlsConfig | undefined;
  /** Protocol towards the hosts; `auto` takes what ALPN answers. */
  readonly protocol: "http1" | "http2" | "auto" | "downstream";
  /** For connections that speak it. */
  readonly http2: Http2Config;
  /** An idle upstream connection is closed after this; default 3600000, 0 never. */
  readonly idleTimeoutMs: number;
  /** 0: unlimited. */
  readonly maxRequestsPerConnection: number;
  /** A connection that is older takes no more requests; 0 never. */
  readonly maxConnectionDurationMs: number;
  /** From when a host was reached to the end of its response; 0 without limit. */
  readonly maxStreamDurationMs: number;
  /** Headers of a response; default 100. */
  readonly maxResponseHeaders: number;
  /** Local addresses to connect from, one per family at most (127.0.0.6 and ::6 towards the own workload). */
  readonly bindSourceAddresses: readonly string[];
  /** undefined: off. */
  readonly tcpKeepalive: KeepaliveConfig | undefined;
  /** original_dst: connect to this port instead of the original one. */
  readonly originalDstPort: number | undefined;
  /** strict_dns, logical_dns: default 5000. */
  readonly dnsRefreshMs: number;
  /** strict_dns, logical_dns: `auto` (Envoy's default) prefers IPv6, `v4_preferred` IPv4, `all` uses both. */
  readonly dnsLookupFamily?: "auto" | "v4_only" | "v6_only" | "v4_preferred" | "all";
  /** metadata istio.config: `name.namespace` of the DestinationRule, for people. */
  readonly destinationRule: string | undefined;
  /** metadata istio.services: what istio_requests_total calls the destination service. */
  readonly service: { readonly host: string; readonly name: string; readonly namespace: string } | undefined;
}
