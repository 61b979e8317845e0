// RDS: one route configuration for every HTTP port, with a virtual host for every service on it; and one of its own for
// every port whose protocol is told by its bytes.
import { create } from "@bufbuild/protobuf";
import { RouteSchema, VirtualHostSchema } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import type { Route, VirtualHost } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { RouteConfigurationSchema } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import type { RouteConfiguration } from "../../xds/gen/envoy/config/route/v3/route_pb.ts";
import { ClusterName, outboundClusterName } from "../../xds/names.ts";
import type { VirtualServiceObject } from "../ingest/mesh-object.ts";
import { hostPatterns, isVisible } from "../registry/host-name.ts";
import type { MeshService, MeshSnapshot, ServiceAlias, ServicePort } from "../registry/mesh-snapshot.ts";
import type { OutboundScope } from "./outbound-scope.ts";
import { defaultRetryPolicy, headerEdits, plainAction, toAction } from "./route-action.ts";
import { concerns, toRouteMatch } from "./route-match.ts";
import { configPath, isIpv6, istioMetadata } from "./wire-values.ts";

/** Name of the route configuration of a port that is sniffed: `db.shop.svc.cluster.local:9000`. */
export function sniffedRouteName(service: MeshService, port: ServicePort): string {
  return `${service.hostname}:${port.port}`;
}

/** Ports that share a wildcard listener and a route configuration named by the port. */
export function isSharedHttpPort(port: ServicePort): boolean {
  return port.protocol === "http" || port.protocol === "http2";
}

export function outboundRoutes(snapshot: MeshSnapshot, scope: OutboundScope, services: readonly MeshService[]): RouteConfiguration[] {
  const shared = new Map<number, VirtualHost[]>();
  const routes: RouteConfiguration[] = [];
  for (const service of services) {
    for (const port of service.ports) {
      if (isSharedHttpPort(port)) {
        const hosts = shared.get(port.port) ?? [];
        shared.set(port.port, hosts);
        hosts.push(serviceHost(snapshot, scope, service, port));
      } else if (port.protocol === "auto") {
        const host = serviceHost(snapshot, scope, service, port);
        // Whatever name the client used: its address has said which service is meant.
        host.domains = ["*"];
        routes.push(toConfiguration(sniffedRouteName(service, port), [host]));
      }
    }
  }
  for (const [port, hosts] of [...shared].sort(([a], [b]) => a - b)) {
    const extra = hostsWithoutService(snapshot, scope, port);
    routes.push(toConfiguration(String(port), [...hosts, ...extra, allowAny()]));
  }
  return routes;
}

function toConfiguration(name: string, virtualHosts: readonly VirtualHost[]): RouteConfiguration {
  const taken = new Set<string>();
  // A domain may stand in one virtual host only, or Envoy refuses the whole configuration; the first keeps it.
  for (const host of virtualHosts) {
    host.domains = host.domains.filter((each) => !taken.has(each) && taken.add(each));
  }
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: virtualHosts.filter((each) => each.domains.length > 0),
    validateClusters: false,
  });
}

function serviceHost(snapshot: MeshSnapshot, scope: OutboundScope, service: MeshService, port: ServicePort): VirtualHost {
  const virtualService = selectVirtualService(snapshot, scope, service.hostname);
  const cluster = outboundClusterName(port.port, "", service.hostname);
  const routes =
    virtualService?.spec.http === undefined
      ? [
          create(RouteSchema, {
            name: "default",
            match: toRouteMatch(undefined),
            action: { case: "route", value: plainAction(cluster, defaultRetryPolicy()) },
          }),
        ]
      : toRoutes(snapshot, scope, virtualService, port.port);
  return create(VirtualHostSchema, {
    name: `${service.hostname}:${port.port}`,
    domains: domainsOf(snapshot, service, scope, port.port),
    routes,
    includeRequestAttemptCount: true,
  });
}

/** Hosts that a VirtualService routes although no service has that name. */
function hostsWithoutService(snapshot: MeshSnapshot, scope: OutboundScope, port: number): VirtualHost[] {
  const hosts: VirtualHost[] = [];
  for (const host of snapshot.virtualServices.keys()) {
    if (snapshot.services.has(host) || host === "*") continue;
    const virtualService = selectVirtualService(snapshot, scope, host);
    // A wildcard that covers services routes those; as a host of its own it takes the rest.
    if (virtualService?.spec.http === undefined) continue;
    hosts.push(
      create(VirtualHostSchema, {
        name: `${host}:${port}`,
        domains: withPort(namesOfHost(snapshot, scope, host), port),
        routes: toRoutes(snapshot, scope, virtualService, port),
        includeRequestAttemptCount: true,
      }),
    );
  }
  return hosts;
}

/** The oldest VirtualService for the most specific host pattern wins completely. */
export function selectVirtualService(snapshot: MeshSnapshot, scope: OutboundScope, host: string): VirtualServiceObject | undefined {
  for (const pattern of hostPatterns(host)) {
    const found = snapshot.virtualServices
      .get(pattern)
      ?.find((each) => isVisible(each.spec.exportTo, each.meta.namespace, scope.namespace) && meansMesh(each.spec.gateways));
    if (found !== undefined) return found;
  }
  return undefined;
}

function meansMesh(gateways: readonly string[] | undefined): boolean {
  return gateways === undefined || gateways.length === 0 || gateways.includes("mesh");
}

function toRoutes(snapshot: MeshSnapshot, scope: OutboundScope, virtualService: VirtualServiceObject, port: number): Route[] {
  const { meta, spec } = virtualService;
  const routes: Route[] = [];
  for (const route of spec.http ?? []) {
    const matches =
      route.match === undefined || route.match.length === 0 ? [undefined] : route.match.filter((each) => concerns(each, scope, port));
    for (const match of matches) {
      const name = [route.name, match?.name].filter((each) => each !== undefined && each !== "").join(".");
      routes.push(
        create(RouteSchema, {
          name: name === "" ? "default" : name,
          match: toRouteMatch(match),
          action: toAction(snapshot, route, meta.namespace, port),
          metadata: istioMetadata({ config: configPath(meta.namespace, "virtual-service", meta.name) }),
          ...headerEdits(route.headers),
        }),
      );
    }
  }
  return routes;
}

/** Every way in which a client of this namespace may write the service's name, with and without the port. */
function domainsOf(snapshot: MeshSnapshot, service: MeshService, scope: OutboundScope, port: number): string[] {
  const names = namesOf(service, scope);
  if (service.headless) names.push(`*.${service.hostname}`);
  names.push(...service.addresses.map((each) => (isIpv6(each) ? `[${each}]` : each)));
  for (const alias of service.aliases) {
    // One with a VirtualService of its own is routed by that.
    if (isVisible(alias.exportTo, alias.namespace, scope.namespace) && !snapshot.virtualServices.has(alias.hostname))
      names.push(...namesOf(alias, scope));
  }
  return withPort(names, port);
}

function withPort(names: readonly string[], port: number): string[] {
  return names.flatMap((each) => (each.startsWith("*") ? [each] : [each, `${each}:${port}`]));
}

function namesOfHost(snapshot: MeshSnapshot, scope: OutboundScope, host: string): string[] {
  for (const { aliases } of snapshot.services.values()) {
    const alias = aliases.find((each) => each.hostname === host);
    if (alias !== undefined) return namesOf(alias, scope);
  }
  return [host];
}

function namesOf({ name, namespace, hostname }: ServiceAlias, scope: OutboundScope): string[] {
  return [hostname, ...(namespace === scope.namespace ? [name] : []), `${name}.${namespace}`, `${name}.${namespace}.svc`];
}

function allowAny(): VirtualHost {
  return create(VirtualHostSchema, {
    name: "allow_any",
    domains: ["*"],
    includeRequestAttemptCount: true,
    routes: [
      create(RouteSchema, {
        name: "allow_any",
        match: toRouteMatch(undefined),
        // Not ours to repeat: nothing is known about what answers there.
        action: { case: "route", value: plainAction(ClusterName.passthrough, undefined) },
      }),
    ],
  });
}
