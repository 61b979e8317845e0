// What a route does: forward with weights, timeout and retries; redirect; or answer by itself.
import { create } from "@bufbuild/protobuf";
import { HeaderValueOption_HeaderAppendAction, HeaderValueOptionSchema } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import type { HeaderValueOption } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import {
  RedirectAction_RedirectResponseCode,
  RetryPolicy_RetryBackOffSchema,
  RetryPolicySchema,
  RouteActionSchema,
} from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import type { RetryPolicy, Route, RouteAction } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { PreviousHostsPredicateSchema } from "../../xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts";
import { outboundClusterName } from "../../xds/names.ts";
import type { Headers } from "../../mesh-api/fields.ts";
import type { Destination, HttpRoute, Retries } from "../../mesh-api/virtual-service.ts";
import { qualifyHost } from "../registry/host-name.ts";
import type { MeshSnapshot } from "../registry/mesh-snapshot.ts";
import { pack, toDuration } from "./wire-values.ts";

const DEFAULT_RETRIES = 2;
const DEFAULT_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled";
const HOST_SELECTION_ATTEMPTS = 5n;

/** The cluster that a destination means, on a listener of `port`. An unknown host gives a cluster that isn't there: 503 NC. */
export function destinationCluster(snapshot: MeshSnapshot, destination: Destination, namespace: string, port: number): string {
  const host = qualifyHost(destination.host, namespace, snapshot.settings.clusterDomain);
  const ports = snapshot.services.get(host)?.ports ?? [];
  // A service with one port needs no port in the destination; with several the listener's is meant.
  const only = ports.length === 1 ? ports[0]?.port : undefined;
  return outboundClusterName(destination.port?.number ?? only ?? port, destination.subset ?? "", host);
}

/** A route to one cluster, without a timeout but for the deadlines that gRPC clients set. */
export function plainAction(cluster: string, retryPolicy: RetryPolicy | undefined): RouteAction {
  return create(RouteActionSchema, { clusterSpecifier: { case: "cluster", value: cluster }, ...timeouts(0), retryPolicy });
}

/** A timeout, 0 for none, and the deadlines of gRPC calls up to it. Istio says so in the older fields, too. */
function timeouts(timeoutMs: number): Pick<RouteAction, "timeout" | "maxGrpcTimeout"> {
  return { timeout: toDuration(timeoutMs), maxGrpcTimeout: toDuration(timeoutMs) };
}

/** @param namespace of the VirtualService, for its short host names. */
export function toAction(snapshot: MeshSnapshot, route: HttpRoute, namespace: string, port: number): Route["action"] {
  if (route.redirect !== undefined) {
    const { uri, authority, scheme, redirectCode, port: to } = route.redirect;
    return {
      case: "redirect",
      value: {
        $typeName: "envoy.config.route.v3.RedirectAction",
        schemeRewriteSpecifier: scheme === undefined ? { case: undefined } : { case: "schemeRedirect", value: scheme },
        hostRedirect: authority ?? "",
        portRedirect: to ?? 0,
        pathRewriteSpecifier: uri === undefined ? { case: undefined } : { case: "pathRedirect", value: uri },
        responseCode: REDIRECT_CODES[redirectCode ?? 301],
        stripQuery: false,
      },
    };
  }
  if (route.directResponse !== undefined) {
    const { status, body } = route.directResponse;
    return {
      case: "directResponse",
      value: {
        $typeName: "envoy.config.route.v3.DirectResponseAction",
        status,
        ...(body?.string === undefined
          ? {}
          : { body: { $typeName: "envoy.config.core.v3.DataSource", specifier: { case: "inlineString", value: body.string } } }),
      },
    };
  }
  return { case: "route", value: toRouteAction(snapshot, route, namespace, port) };
}

const REDIRECT_CODES = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
} as const;

function toRouteAction(snapshot: MeshSnapshot, route: HttpRoute, namespace: string, port: number): RouteAction {
  const hostRewrite = route.rewrite?.authority ?? hostHeader(route.headers);
  const action = create(RouteActionSchema, {
    ...timeouts(route.timeout ?? 0),
    retryPolicy: toRetryPolicy(route.retries),
    prefixRewrite: route.rewrite?.uri ?? "",
    hostRewriteSpecifier: hostRewrite === undefined ? { case: undefined } : { case: "hostRewriteLiteral", value: hostRewrite },
  });
  const destinations = route.route ?? [];
  const [first] = destinations;
  // One destination needs no weight; and only one without edits of its own can be a plain cluster.
  if (first !== undefined && destinations.length === 1 && first.headers === undefined) {
    action.clusterSpecifier = { case: "cluster", value: destinationCluster(snapshot, first.destination, namespace, port) };
    return action;
  }
  const weighted = create(RouteActionSchema, {
    clusterSpecifier: {
      case: "weightedClusters",
      value: {
        clusters: destinations
          .filter((each) => destinations.length === 1 || (each.weight ?? 0) > 0)
          .map((each) => ({
            name: destinationCluster(snapshot, each.destination, namespace, port),
            weight: destinations.length === 1 ? 1 : (each.weight ?? 0),
            ...headerEdits(each.headers),
          })),
      },
    },
  });
  action.clusterSpecifier = weighted.clusterSpecifier;
  return action;
}

function toRetryPolicy(retries: Retries | undefined): RetryPolicy | undefined {
  if (retries === undefined) return defaultRetryPolicy();
  if (retries.attempts === 0) return undefined;
  const words = (retries.retryOn ?? "")
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  const codes = words.filter((each) => /^\d+$/.test(each)).map(Number);
  const conditions = words.filter((each) => !/^\d+$/.test(each));
  if (codes.length > 0 && !conditions.includes("retriable-status-codes")) conditions.push("retriable-status-codes");
  const policy = defaultRetryPolicy();
  if (conditions.length > 0) policy.retryOn = conditions.join(",");
  policy.retriableStatusCodes = codes;
  policy.numRetries = retries.attempts ?? DEFAULT_RETRIES;
  if (retries.perTryTimeout !== undefined) policy.perTryTimeout = toDuration(retries.perTryTimeout);
  if (retries.backoff !== undefined) {
    policy.retryBackOff = create(RetryPolicy_RetryBackOffSchema, {
      baseInterval: toDuration(retries.backoff),
      maxInterval: toDuration(retries.backoff * 10),
    });
  }
  if (retries.retryIgnorePreviousHosts === false) {
    policy.retryHostPredicate = [];
    policy.hostSelectionRetryMaxAttempts = 0n;
  }
  return policy;
}

export function defaultRetryPolicy(): RetryPolicy {
  return create(RetryPolicySchema, {
    retryOn: DEFAULT_RETRY_ON,
    numRetries: DEFAULT_RETRIES,
    hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS,
    retryHostPredicate: [
      {
        name: "envoy.retry_host_predicates.previous_hosts",
        configType: { case: "typedConfig", value: pack(PreviousHostsPredicateSchema, {}) },
      },
    ],
  });
}

export interface HeaderEditFields {
  requestHeadersToAdd: HeaderValueOption[];
  requestHeadersToRemove: string[];
  responseHeadersToAdd: HeaderValueOption[];
  responseHeadersToRemove: string[];
}

const HOST_NAMES = new Set(["host", ":authority", "authority"]);

export function headerEdits(headers: Headers | undefined): HeaderEditFields {
  return {
    requestHeadersToAdd: toAdd(headers?.request),
    requestHeadersToRemove: headers?.request?.remove ?? [],
    responseHeadersToAdd: toAdd(headers?.response),
    responseHeadersToRemove: headers?.response?.remove ?? [],
  };
}

/** Setting the host is a rewrite, not a header of its own. */
function hostHeader(headers: Headers | undefined): string | undefined {
  return Object.entries(headers?.request?.set ?? {}).find(([name]) => HOST_NAMES.has(name.toLowerCase()))?.[1];
}

function toAdd(edits: NonNullable<Headers["request"]> | undefined): HeaderValueOption[] {
  const options = (pairs: Readonly<Record<string, string>> | undefined, appendAction: HeaderValueOption_HeaderAppendAction) =>
    Object.entries(pairs ?? {})
      .filter(([name]) => !HOST_NAMES.has(name.toLowerCase()))
      .map(([key, value]) => create(HeaderValueOptionSchema, { header: { key, value }, appendAction }));
  return [
    ...options(edits?.set, HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
    ...options(edits?.add, HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD),
  ];
}
