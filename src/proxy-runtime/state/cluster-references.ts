// Which clusters listeners and routes lead to.
import type { ClusterConfig } from "../config/cluster-config.ts";
import type { FilterChainConfig, ListenerConfig } from "../config/listener-config.ts";
import type { RouteConfig } from "../config/route-config.ts";
import type { SecretConfig } from "../config/tls-config.ts";

/** What must change together. */
export interface Structure {
  readonly clusters: ReadonlyMap<string, ClusterConfig>;
  readonly listeners: ReadonlyMap<string, ListenerConfig>;
  readonly routes: ReadonlyMap<string, RouteConfig>;
  readonly inlineSecrets: readonly SecretConfig[];
  readonly adsSecrets: readonly string[];
  readonly identitySecrets: readonly string[];
}

export function clustersInUse({ listeners, routes }: Pick<Structure, "listeners" | "routes">): ReadonlySet<string> {
  const names = new Set<string>();
  for (const listener of listeners.values()) {
    for (const chain of listener.filterChains) addOfChain(names, chain, routes);
    if (listener.defaultFilterChain !== undefined) addOfChain(names, listener.defaultFilterChain, routes);
  }
  return names;
}

function addOfChain(names: Set<string>, { filter }: FilterChainConfig, routes: ReadonlyMap<string, RouteConfig>): void {
  if (filter.kind === "tcp") {
    for (const { cluster } of filter.clusters) names.add(cluster);
    return;
  }
  const config = filter.routes.kind === "inline" ? filter.routes.config : routes.get(filter.routes.name);
  for (const host of config?.virtualHosts ?? []) {
    for (const { action } of host.routes) {
      if (action.kind === "route") for (const { cluster } of action.clusters) names.add(cluster);
    }
  }
}
