// Routes: virtual hosts, what a request must look like, and where it goes. Defaults are Envoy's.
import type { StringMatch } from "./tls-config.ts";
import type { Upgrades } from "./upgrades.ts";

export interface HeaderValueEdit {
  readonly name: string;
  /** May hold command operators (%DOWNSTREAM_REMOTE_ADDRESS%); the decoder refuses those it does not know. */
  readonly value: string;
  readonly action: "append_if_exists_or_add" | "add_if_absent" | "overwrite_if_exists_or_add" | "overwrite_if_exists";
}

export interface HeaderEdits {
  readonly set: readonly HeaderValueEdit[];
  readonly remove: readonly string[];
}

export type PathMatch =
  | { readonly kind: "prefix" | "exact" | "segmentPrefix"; readonly value: string; readonly caseSensitive: boolean }
  /** RE2, the whole path without its query. */
  | { readonly kind: "regex"; readonly value: string; readonly caseSensitive: true }
  /** CONNECT, which has no path; no other kind matches it. */
  | { readonly kind: "connect"; readonly value: ""; readonly caseSensitive: true };

export interface HeaderMatch {
  /** Lower case; `:method`, `:authority`, `:path`, `:scheme` for the request line. */
  readonly name: string;
  /** undefined: presence. */
  readonly match: StringMatch | undefined;
  readonly range: { readonly start: number; readonly end: number } | undefined;
  readonly invert: boolean;
  readonly treatMissingAsEmpty: boolean;
}

export interface QueryMatch {
  readonly name: string;
  /** undefined: presence. */
  readonly match: StringMatch | undefined;
}

export interface RouteMatch {
  readonly path: PathMatch;
  readonly headers: readonly HeaderMatch[];
  readonly query: readonly QueryMatch[];
  readonly grpcOnly: boolean;
}

/** Words of Envoy's retry_on. */
export const RETRY_WORDS = [
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "refused-stream",
  "retriable-4xx",
  "retriable-status-codes",
  "retriable-headers",
  "envoy-ratelimited",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
] as const;
export type RetryWord = (typeof RETRY_WORDS)[number];

export interface ResetHeader {
  /** Lower case. */
  readonly name: string;
  readonly format: "seconds" | "unix_timestamp";
}

export interface RetryPolicy {
  readonly retryOn: readonly RetryWord[];
  /** Retries besides the first try; Envoy's default 1. */
  readonly numRetries: number;
  /** From the end of the request; 0: as long as the route's timeout. */
  readonly perTryTimeoutMs: number;
  /** Without a byte from the host; 0 never. */
  readonly perTryIdleTimeoutMs: number;
  readonly retriableStatusCodes: readonly number[];
  /** With the word retriable-headers: one of them in the response. */
  readonly retriableHeaders: readonly HeaderMatch[];
  /** One of them must be in the request; empty: every request. */
  readonly retriableRequestHeaders: readonly HeaderMatch[];
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** Where a response says when to come again, and for how long it is believed. */
  readonly rateLimitedBackoff: { readonly headers: readonly ResetHeader[]; readonly maxMs: number } | undefined;
  /** retry_host_predicate previous_hosts with its number of attempts; 0: any host may be taken again. */
  readonly avoidPreviousHostsAttempts: number;
}

/** What the deadline that a gRPC call's client sets by `grpc-timeout` does to the time that the call may take. */
export interface GrpcDeadline {
  /**
   * `timeout`: gRPC calls have it in place of the route's timeout, or none where the client has set none (Envoy's
   * max_grpc_timeout). `duration`: calls that have one have it in place of the stream's longest duration (grpc_timeout_header_max).
   */
  readonly replaces: "timeout" | "duration";
  /** It counts for so much at most; 0 without limit. */
  readonly maxMs: number;
  /** So much earlier than the client we give up. */
  readonly offsetMs: number;
}

export interface WeightedCluster {
  readonly cluster: string;
  readonly weight: number;
  readonly requestHeaders: HeaderEdits;
  readonly responseHeaders: HeaderEdits;
}

export type RouteAction =
  | {
      readonly kind: "route";
      /** Never empty; one entry for a plain cluster. Weights sum to anything above 0. */
      readonly clusters: readonly WeightedCluster[];
      /** From the end of the request to the end of the response; default 15000, 0 none. */
      readonly timeoutMs: number;
      /** undefined: `grpc-timeout` is only passed on. */
      readonly grpcDeadline: GrpcDeadline | undefined;
      /** From the request's head to the end of the response; 0 none, undefined: the connection manager's. */
      readonly maxStreamDurationMs: number | undefined;
      /** undefined: the connection manager's stream idle timeout. */
      readonly idleTimeoutMs: number | undefined;
      readonly retry: RetryPolicy | undefined;
      /** In place of what the connection manager says of the same upgrade. */
      readonly upgrades: Upgrades;
      /** What a CONNECT carries goes to the upstream as plain TCP; else the CONNECT itself is forwarded. */
      readonly terminatesConnect: boolean;
      readonly prefixRewrite: string | undefined;
      readonly hostRewrite: string | undefined;
      /** A rewritten host is appended to x-forwarded-host. */
      readonly appendForwardedHost: boolean;
    }
  | {
      readonly kind: "redirect";
      readonly status: 301 | 302 | 303 | 307 | 308;
      readonly scheme: string | undefined;
      readonly host: string | undefined;
      readonly port: number | undefined;
      readonly path: string | undefined;
      readonly prefixRewrite: string | undefined;
      readonly stripQuery: boolean;
    }
  | { readonly kind: "direct_response"; readonly status: number; readonly body: string };

export interface RouteEntry {
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: RouteAction;
  readonly requestHeaders: HeaderEdits;
  readonly responseHeaders: HeaderEdits;
  /** Of a request's body so much is kept for another try; undefined: the virtual host's, else the listener's limit. */
  readonly bufferLimitBytes: number | undefined;
  /** metadata istio.config: `name.namespace` of the VirtualService, for people. */
  readonly virtualService: string | undefined;
}

export interface VirtualHost {
  readonly name: string;
  /** Exact, `*.suffix`, `prefix.*` or `*`; in Envoy's order of precedence when looked up. */
  readonly domains: readonly string[];
  readonly routes: readonly RouteEntry[];
  readonly requestHeaders: HeaderEdits;
  readonly responseHeaders: HeaderEdits;
  readonly includeAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  /** x-envoy-is-timeout-retry says to the host whether the try before ran out of time. */
  readonly includeIsTimeoutRetry: boolean;
}

export interface RouteConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  readonly requestHeaders: HeaderEdits;
  readonly responseHeaders: HeaderEdits;
  readonly ignorePortInHost: boolean;
}
