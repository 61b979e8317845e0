// RouteConfiguration, from RDS or inline in a connection manager → RouteConfig.
import type { Result } from "../../common/result.ts";
import type { Route, VirtualHost as VirtualHostMessage } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { RouteSchema, VirtualHost_TlsRequirementType, VirtualHostSchema } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import type { RouteConfiguration } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import { RouteConfigurationSchema } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import { decodeHeaderEdits } from "./decode-header-edits.ts";
import { decodeRetryPolicy } from "./decode-retry-policy.ts";
import type { ActionDefaults } from "./decode-route-action.ts";
import { decodeRouteAction } from "./decode-route-action.ts";
import { decodeRouteMatch } from "./decode-route-match.ts";
import { istioConfigName } from "./decode-values.ts";
import type { Decoded, Decoding } from "./decoding.ts";
import { decodeResource, fieldRules, join } from "./decoding.ts";
import type { RouteConfig, RouteEntry, VirtualHost } from "./route-config.ts";

const EDITS = ["request_headers_to_add", "request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove"];
const NO_PROXY_METADATA = "metadata is for other readers";

const CONFIGURATION = fieldRules(
  RouteConfigurationSchema,
  [...EDITS, "name", "virtual_hosts", "max_direct_response_body_size_bytes", "ignore_port_in_host_matching", "validate_clusters"],
  { metadata: NO_PROXY_METADATA },
);
const VIRTUAL_HOST = fieldRules(
  VirtualHostSchema,
  [
    ...EDITS,
    "name",
    "domains",
    "routes",
    "require_tls",
    "retry_policy",
    "per_request_buffer_limit_bytes",
    "include_request_attempt_count",
    "include_attempt_count_in_response",
    "include_is_timeout_retry_header",
  ],
  {
    virtual_clusters: "statistics only",
    rate_limits: "read by the rate limit filter only, which is not there",
    cors: "read by the cors filter only, which is not there",
    metadata: NO_PROXY_METADATA,
  },
);
const ROUTE = fieldRules(
  RouteSchema,
  [
    ...EDITS,
    "name",
    "match",
    "route",
    "redirect",
    "direct_response",
    "filter_action",
    "non_forwarding_action",
    "metadata",
    "per_request_buffer_limit_bytes",
  ],
  {
    decorator: "names of trace spans, of which there are none",
    tracing: "sampling of trace spans, of which there are none",
    stat_prefix: "statistics only",
  },
);

export function decodeRoute(input: Uint8Array | RouteConfiguration, path = ""): Result<Decoded<RouteConfig>> {
  return decodeResource(RouteConfigurationSchema, input, path, (decoding, configuration) => {
    if (configuration.name === "") decoding.problem(join(path, "name"), "missing");
    return decodeRouteConfiguration(decoding, configuration, path);
  });
}

/** As decodeRoute, within another resource; an inline configuration needs no name. */
export function decodeRouteConfiguration(decoding: Decoding, configuration: RouteConfiguration, path: string): RouteConfig {
  decoding.check(CONFIGURATION, configuration, path);
  const maxBodyBytes = configuration.maxDirectResponseBodySizeBytes ?? 4096;
  const virtualHosts = configuration.virtualHosts.map((each, index) =>
    decodeVirtualHost(decoding, each, `${join(path, "virtual_hosts")}[${index}]`, maxBodyBytes),
  );
  checkUnique(decoding, virtualHosts, path);
  return {
    name: configuration.name,
    virtualHosts,
    ...decodeHeaderEdits(decoding, configuration, path),
    ignorePortInHost: configuration.ignorePortInHostMatching,
  };
}

function decodeVirtualHost(decoding: Decoding, host: VirtualHostMessage, path: string, maxBodyBytes: number): VirtualHost {
  decoding.check(VIRTUAL_HOST, host, path);
  if (host.name === "") decoding.problem(join(path, "name"), "missing");
  if (host.domains.length === 0) decoding.problem(join(path, "domains"), "must not be empty");
  host.domains.forEach((domain, index) => {
    // A wildcard stands at one end, for at least one character more.
    if (domain === "" || (domain !== "*" && /\*/.test(domain.slice(1, -1))) || /^\*.*\*$/.test(domain)) {
      decoding.problem(
        `${join(path, "domains")}[${index}]`,
        `not a domain: ${JSON.stringify(domain)}; use a name, *.suffix, prefix.* or *`,
      );
    }
  });
  if (host.requireTls !== VirtualHost_TlsRequirementType.NONE) decoding.unsupported(join(path, "require_tls"), "use a redirect route");
  const retry = host.retryPolicy === undefined ? undefined : decodeRetryPolicy(decoding, host.retryPolicy, join(path, "retry_policy"));
  return {
    name: host.name,
    domains: host.domains.map((domain) => domain.toLowerCase()),
    routes: host.routes.map((each, index) =>
      decodeEntry(decoding, each, `${join(path, "routes")}[${index}]`, { retry, maxBodyBytes }, host.perRequestBufferLimitBytes),
    ),
    ...decodeHeaderEdits(decoding, host, path),
    includeAttemptCount: host.includeRequestAttemptCount,
    includeAttemptCountInResponse: host.includeAttemptCountInResponse,
    includeIsTimeoutRetry: host.includeIsTimeoutRetryHeader,
  };
}

function decodeEntry(
  decoding: Decoding,
  route: Route,
  path: string,
  defaults: ActionDefaults,
  bufferLimitBytes: number | undefined,
): RouteEntry {
  decoding.check(ROUTE, route, path);
  return {
    name: route.name,
    match: decodeRouteMatch(decoding, route.match, join(path, "match")),
    action: decodeRouteAction(decoding, route, path, defaults),
    ...decodeHeaderEdits(decoding, route, path),
    bufferLimitBytes: route.perRequestBufferLimitBytes ?? bufferLimitBytes,
    virtualService: istioConfigName(route.metadata, "virtual-service"),
  };
}

function checkUnique(decoding: Decoding, hosts: readonly VirtualHost[], path: string): void {
  const names = new Set<string>();
  const domains = new Map<string, string>();
  hosts.forEach((host, index) => {
    const inner = `${join(path, "virtual_hosts")}[${index}]`;
    if (names.has(host.name) && host.name !== "") decoding.problem(join(inner, "name"), `${JSON.stringify(host.name)} stands twice`);
    names.add(host.name);
    for (const domain of host.domains) {
      const other = domains.get(domain);
      if (other !== undefined)
        decoding.problem(join(inner, "domains"), `${JSON.stringify(domain)} belongs to virtual host ${JSON.stringify(other)} already`);
      domains.set(domain, host.name);
    }
  });
}
