// Names within a bootstrap that point at nothing: found before a single request could.
import type { AdsConfig } from "./bootstrap-config.ts";
import type { Decoding, References } from "./decoding.ts";
import type { FilterChainConfig, ListenerConfig } from "./listener-config.ts";
import type { ProxyConfig } from "./proxy-config.ts";
import type { RouteConfig } from "./route-config.ts";

interface Dynamic {
  readonly ads: AdsConfig | undefined;
  readonly cdsViaAds: boolean;
}

export function checkReferences(decoding: Decoding, statics: ProxyConfig, references: readonly References[], dynamic: Dynamic): void {
  for (const { path, name, source } of references.flatMap((each) => each.secrets)) {
    if (source === "static" && !statics.secrets.has(name))
      decoding.problem(path, `no static secret ${JSON.stringify(name)}; add it to static_resources.secrets`);
    if (source === "identity")
      decoding.problem(path, `${JSON.stringify(name)} is the identity of a sidecar, which a proxy with --bootstrap has not`);
    if (source === "ads" && dynamic.ads === undefined)
      decoding.problem(path, `${JSON.stringify(name)} comes over ads, but dynamic_resources.ads_config is missing`);
  }
  if (dynamic.ads === undefined) {
    for (const name of references.flatMap((each) => each.routes)) {
      decoding.problem("dynamic_resources.ads_config", `missing; routes ${JSON.stringify(name)} come over ads`);
    }
    for (const cluster of statics.clusters.values()) {
      if (cluster.type === "eds")
        decoding.problem("dynamic_resources.ads_config", `missing; endpoints of cluster ${JSON.stringify(cluster.name)} come over ads`);
    }
  }
  // With CDS any cluster may come later. Problems so far may have cost clusters that are there.
  if (dynamic.cdsViaAds || decoding.failed) return;
  let index = 0;
  for (const listener of statics.listeners.values()) checkClusters(decoding, listener, `static_resources.listeners[${index++}]`, statics);
}

function checkClusters(decoding: Decoding, listener: ListenerConfig, path: string, statics: ProxyConfig): void {
  const chains = [...listener.filterChains, ...(listener.defaultFilterChain === undefined ? [] : [listener.defaultFilterChain])];
  for (const name of new Set(chains.flatMap(clustersOfChain))) {
    if (!statics.clusters.has(name)) decoding.problem(path, `no cluster ${JSON.stringify(name)}; add it to static_resources.clusters`);
  }
}

function clustersOfChain({ filter }: FilterChainConfig): readonly string[] {
  if (filter.kind === "tcp") return filter.clusters.map((each) => each.cluster);
  return filter.routes.kind === "inline" ? clustersOfRoutes(filter.routes.config) : [];
}

function clustersOfRoutes(config: RouteConfig): readonly string[] {
  return config.virtualHosts.flatMap((host) =>
    host.routes.flatMap(({ action }) => (action.kind === "route" ? action.clusters.map((each) => each.cluster) : [])),
  );
}
