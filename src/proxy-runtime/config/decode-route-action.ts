// What a route does: forward, redirect, or answer by itself.
import type {
  DirectResponseAction,
  RedirectAction,
  Route,
  RouteAction as ForwardAction,
  WeightedCluster as WeightedClusterMessage,
} from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import {
  RedirectActionSchema,
  RouteActionSchema,
  WeightedCluster_ClusterWeightSchema,
  WeightedClusterSchema,
} from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { decodeGrpcDeadline } from "./decode-grpc-deadline.ts";
import { decodeHeaderEdits, NO_EDITS } from "./decode-header-edits.ts";
import { decodeRetryPolicy } from "./decode-retry-policy.ts";
import { decodeRouteUpgrades } from "./decode-upgrades.ts";
import { dataSource, durationMs, headText } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { RetryPolicy, RouteAction, WeightedCluster } from "./route-config.ts";

const FORWARD = fieldRules(
  RouteActionSchema,
  [
    "cluster",
    "weighted_clusters",
    "cluster_not_found_response_code",
    "prefix_rewrite",
    "host_rewrite_literal",
    "auto_host_rewrite",
    "append_x_forwarded_host",
    "timeout",
    "max_stream_duration",
    "max_grpc_timeout",
    "grpc_timeout_offset",
    "idle_timeout",
    "retry_policy",
    "priority",
    "upgrade_configs",
  ],
  {
    metadata_match: "read by subset load balancing only, which clusters may not ask for",
    hash_policy: "read by ring hash and maglev only, which clusters may not ask for",
    early_data_policy: "TLS early data is never accepted",
    rate_limits: "read by the rate limit filter only, which is not there",
    include_vh_rate_limits: "read by the rate limit filter only, which is not there",
    cors: "read by the cors filter only, which is not there",
  },
);
const WEIGHTED = fieldRules(WeightedClusterSchema, ["clusters"], {
  total_weight: "Envoy too takes the sum",
  runtime_key_prefix: "there is no runtime that could override weights",
});
const WEIGHT = fieldRules(
  WeightedCluster_ClusterWeightSchema,
  ["name", "weight", "request_headers_to_add", "request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove"],
  { metadata_match: "read by subset load balancing only, which clusters may not ask for" },
);
const REDIRECT = fieldRules(RedirectActionSchema, [
  "https_redirect",
  "scheme_redirect",
  "host_redirect",
  "port_redirect",
  "path_redirect",
  "prefix_rewrite",
  "response_code",
  "strip_query",
]);
// By the number of the RedirectResponseCode enum.
const REDIRECT_STATUS = [301, 302, 303, 307, 308] as const;

const NOTHING: RouteAction = { kind: "direct_response", status: 500, body: "" };

export interface ActionDefaults {
  /** Of the virtual host; a route's own policy takes its place. */
  readonly retry: RetryPolicy | undefined;
  /** max_direct_response_body_size_bytes of the route configuration. */
  readonly maxBodyBytes: number;
}

export function decodeRouteAction(decoding: Decoding, route: Route, path: string, defaults: ActionDefaults): RouteAction {
  switch (route.action.case) {
    case "route":
      return decodeForward(decoding, route.action.value, join(path, "route"), defaults);
    case "redirect":
      return decodeRedirect(decoding, route.action.value, join(path, "redirect"));
    case "directResponse":
      return decodeDirectResponse(decoding, route.action.value, join(path, "direct_response"), defaults);
    case "filterAction":
      decoding.unsupported(join(path, "filter_action"));
      return NOTHING;
    case "nonForwardingAction":
      decoding.unsupported(join(path, "non_forwarding_action"), "for proxyless gRPC servers only");
      return NOTHING;
    default:
      decoding.problem(path, "needs one of route, redirect, direct_response");
      return NOTHING;
  }
}

function decodeForward(decoding: Decoding, action: ForwardAction, path: string, defaults: ActionDefaults): RouteAction {
  decoding.check(FORWARD, action, path);
  if (action.clusterNotFoundResponseCode !== 0)
    decoding.unsupported(join(path, "cluster_not_found_response_code"), "only SERVICE_UNAVAILABLE");
  if (action.priority !== 0) decoding.unsupported(join(path, "priority"), "only DEFAULT");
  const rewrite = action.hostRewriteSpecifier;
  if (rewrite.case === "autoHostRewrite" && rewrite.value)
    decoding.unsupported(join(path, "auto_host_rewrite"), "use host_rewrite_literal");
  return {
    kind: "route",
    clusters: decodeClusters(decoding, action, path),
    // Envoy: a route that has max_stream_duration, even an empty one, has no other limit of time.
    timeoutMs: action.maxStreamDuration === undefined ? durationMs(decoding, action.timeout, join(path, "timeout"), 15_000) : 0,
    grpcDeadline: decodeGrpcDeadline(decoding, action, path),
    maxStreamDurationMs:
      action.maxStreamDuration?.maxStreamDuration === undefined
        ? undefined
        : durationMs(decoding, action.maxStreamDuration.maxStreamDuration, join(path, "max_stream_duration.max_stream_duration"), 0),
    idleTimeoutMs: action.idleTimeout === undefined ? undefined : durationMs(decoding, action.idleTimeout, join(path, "idle_timeout"), 0),
    retry: action.retryPolicy === undefined ? defaults.retry : decodeRetryPolicy(decoding, action.retryPolicy, join(path, "retry_policy")),
    ...decodeRouteUpgrades(decoding, action.upgradeConfigs, join(path, "upgrade_configs")),
    prefixRewrite: optional(decoding, action.prefixRewrite, join(path, "prefix_rewrite")),
    hostRewrite: rewrite.case === "hostRewriteLiteral" ? optional(decoding, rewrite.value, join(path, "host_rewrite_literal")) : undefined,
    appendForwardedHost: action.appendXForwardedHost,
  };
}

/** Text for a head; empty means that it is not set. */
function optional(decoding: Decoding, text: string, path: string): string | undefined {
  return text === "" ? undefined : headText(decoding, text, path);
}

function decodeClusters(decoding: Decoding, action: ForwardAction, path: string): readonly WeightedCluster[] {
  const specifier = action.clusterSpecifier;
  switch (specifier.case) {
    case "cluster":
      if (specifier.value === "") decoding.problem(join(path, "cluster"), "must not be empty");
      return [{ cluster: specifier.value, weight: 1, requestHeaders: NO_EDITS, responseHeaders: NO_EDITS }];
    case "weightedClusters":
      return decodeWeighted(decoding, specifier.value, join(path, "weighted_clusters"));
    default:
      if (specifier.case === undefined) decoding.problem(path, "needs cluster or weighted_clusters");
      return [];
  }
}

function decodeWeighted(decoding: Decoding, weighted: WeightedClusterMessage, path: string): readonly WeightedCluster[] {
  decoding.check(WEIGHTED, weighted, path);
  const clusters = weighted.clusters.map((each, index): WeightedCluster => {
    const inner = `${join(path, "clusters")}[${index}]`;
    decoding.check(WEIGHT, each, inner);
    if (each.name === "") decoding.problem(join(inner, "name"), "missing");
    return { cluster: each.name, weight: each.weight ?? 0, ...decodeHeaderEdits(decoding, each, inner) };
  });
  if (clusters.length === 0) decoding.problem(join(path, "clusters"), "must not be empty");
  else if (clusters.every((each) => each.weight === 0)) decoding.problem(join(path, "clusters"), "the sum of the weights must be above 0");
  return clusters;
}

function decodeRedirect(decoding: Decoding, redirect: RedirectAction, path: string): RouteAction {
  decoding.check(REDIRECT, redirect, path);
  const scheme = redirect.schemeRewriteSpecifier;
  const target = redirect.pathRewriteSpecifier;
  return {
    kind: "redirect",
    status: REDIRECT_STATUS[redirect.responseCode] ?? 301,
    scheme:
      scheme.case === "httpsRedirect"
        ? scheme.value
          ? "https"
          : undefined
        : optional(decoding, scheme.value ?? "", join(path, "scheme_redirect")),
    host: optional(decoding, redirect.hostRedirect, join(path, "host_redirect")),
    port: redirect.portRedirect === 0 ? undefined : redirect.portRedirect,
    path: target.case === "pathRedirect" ? headText(decoding, target.value, join(path, "path_redirect")) : undefined,
    prefixRewrite: target.case === "prefixRewrite" ? headText(decoding, target.value, join(path, "prefix_rewrite")) : undefined,
    stripQuery: redirect.stripQuery,
  };
}

function decodeDirectResponse(decoding: Decoding, response: DirectResponseAction, path: string, defaults: ActionDefaults): RouteAction {
  if (response.status < 200 || response.status > 599) decoding.problem(join(path, "status"), `must be 200 to 599, not ${response.status}`);
  const body = dataSource(decoding, response.body, join(path, "body")) ?? "";
  if (Buffer.byteLength(body) > defaults.maxBodyBytes) {
    decoding.problem(join(path, "body"), `longer than max_direct_response_body_size_bytes (${defaults.maxBodyBytes})`);
  }
  return { kind: "direct_response", status: response.status, body };
}
