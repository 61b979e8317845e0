// Routes: virtual hosts, what a request must look like, and where it goes. Defaults are Envoy's.
import type { StringMatch } from "./tls-config.ts";

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
  | { readonly kind: "regex"; readonly value: string; readonly caseSensitive: true };

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

export interface RetryPolicy {
  /** Words of Envoy's retry_on that we act on: connect-failure, refused-stream, reset, reset-before-request, 5xx, gateway-error, retriable-4xx, retriable-status-codes, … */
  readonly retryOn: readonly string[];
  /** Retries besides the first try; Envoy's default 1. */
  readonly numRetries: number;
  /** 0: as long as the route's timeout. */
  readonly perTryTimeoutMs: number;
  readonly retriableStatusCodes: readonly number[];
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
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
      /** undefined: the connection manager's stream idle timeout. */
      readonly idleTimeoutMs: number | undefined;
      readonly retry: RetryPolicy | undefined;
      readonly prefixRewrite: string | undefined;
      readonly hostRewrite: string | undefined;
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
}

export interface RouteConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  readonly requestHeaders: HeaderEdits;
  readonly responseHeaders: HeaderEdits;
  readonly ignorePortInHost: boolean;
}
