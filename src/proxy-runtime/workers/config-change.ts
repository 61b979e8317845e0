// What changed between two configurations. Workers are sent changes, not configurations: a clone of an unchanged resource
// would be another object, and so look changed to everyone who compares; and an endpoint's change stays small.
import type { ProxyConfig } from "../config/proxy-config.ts";

interface PartChange<T> {
  readonly set: readonly (readonly [string, T])[];
  readonly removed: readonly string[];
}

type Change<M> = M extends ReadonlyMap<string, infer T> ? PartChange<T> | undefined : never;

/** Names are left out: DNS is answered by the main thread. */
export type ConfigChange = { readonly [P in Exclude<keyof ProxyConfig, "names">]: Change<ProxyConfig[P]> };

export function configChange(from: ProxyConfig, to: ProxyConfig): ConfigChange {
  return {
    clusters: partChange(from.clusters, to.clusters),
    endpoints: partChange(from.endpoints, to.endpoints),
    listeners: partChange(from.listeners, to.listeners),
    routes: partChange(from.routes, to.routes),
    secrets: partChange(from.secrets, to.secrets),
  };
}

/** The configuration after the change; what did not change is the same object as before. */
export function changedConfig(config: ProxyConfig, change: ConfigChange): ProxyConfig {
  return {
    clusters: changedPart(config.clusters, change.clusters),
    endpoints: changedPart(config.endpoints, change.endpoints),
    listeners: changedPart(config.listeners, change.listeners),
    routes: changedPart(config.routes, change.routes),
    secrets: changedPart(config.secrets, change.secrets),
    names: config.names,
  };
}

function partChange<T>(from: ReadonlyMap<string, T>, to: ReadonlyMap<string, T>): PartChange<T> | undefined {
  if (from === to) return undefined;
  const set = [...to].filter(([name, value]) => from.get(name) !== value);
  const removed = [...from.keys()].filter((name) => !to.has(name));
  return set.length === 0 && removed.length === 0 ? undefined : { set, removed };
}

function changedPart<T>(part: ReadonlyMap<string, T>, change: PartChange<T> | undefined): ReadonlyMap<string, T> {
  if (change === undefined) return part;
  const next = new Map(part);
  for (const name of change.removed) next.delete(name);
  for (const [name, value] of change.set) next.set(name, value);
  return next;
}
