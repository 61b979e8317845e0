// Accepted resources → configurations that are whole. Clusters, listeners and routes change together, and only when every
// endpoint set, route and secret that they refer to is there; endpoints and secrets of what already runs flow through at
// once. A cluster that is gone stays while routes in use still lead to it, so that nothing breaks between two responses.
import type { Clock } from "../../common/clock.ts";
import type { ClusterConfig } from "../config/cluster-config.ts";
import type { EndpointsConfig } from "../config/endpoint-config.ts";
import type { ListenerConfig } from "../config/listener-config.ts";
import type { ProxyConfig } from "../config/proxy-config.ts";
import type { RouteConfig } from "../config/route-config.ts";
import type { SecretConfig } from "../config/tls-config.ts";
import { clustersInUse, type Structure } from "./cluster-references.ts";
import { Deadlines } from "./deadlines.ts";
import type { Entry } from "./resource-cache.ts";

/** What was accepted last; read at each consideration. */
export interface Accepted {
  readonly clusters: ReadonlyMap<string, Entry<ClusterConfig>>;
  readonly listeners: ReadonlyMap<string, Entry<ListenerConfig>>;
  readonly routes: ReadonlyMap<string, Entry<RouteConfig>>;
  readonly endpoints: ReadonlyMap<string, Entry<EndpointsConfig>>;
  /** Those that came over ADS. */
  readonly secrets: ReadonlyMap<string, Entry<SecretConfig>>;
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** Of the proxy's own identity. */
  readonly identitySecrets: ReadonlyMap<string, SecretConfig>;
}

/** Names that are wanted of each type that is asked for by name. */
export interface Wanted {
  readonly endpoints: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

export interface SnapshotBuilderOptions {
  readonly statics: ProxyConfig;
  /** Routes and secrets that static resources ask for over ADS. */
  readonly staticRoutes: readonly string[];
  readonly staticSecrets: readonly string[];
  readonly clock: Clock;
  /** How long something referred to is waited for before it counts as not existing (Envoy: 15 s). */
  readonly doesNotExistMs: number;
  readonly onConfig: (config: ProxyConfig) => void;
  /** Called when a deadline made something possible that was waited for. */
  readonly onDeadline: () => void;
}

export class SnapshotBuilder {
  readonly #options: SnapshotBuilderOptions;
  readonly #deadlines: Deadlines;
  #structure: Structure | undefined;
  #config: ProxyConfig | undefined;

  constructor(options: SnapshotBuilderOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, options.doesNotExistMs, options.onDeadline);
  }

  /** The last configuration that was handed out. */
  get config(): ProxyConfig | undefined {
    return this.#config;
  }

  stop(): void {
    this.#deadlines.clear();
  }

  /** What the accepted resources and the running structure refer to. */
  wanted(accepted: Accepted): Wanted {
    const next = this.#next(accepted);
    const structures = this.#structure === undefined ? [next] : [next, this.#structure];
    const entries = [...accepted.clusters.values(), ...accepted.listeners.values()];
    const secrets = entries.flatMap((each) => each.references.secrets.filter(({ source }) => source === "ads").map(({ name }) => name));
    const running = this.#structure?.adsSecrets ?? [];
    return {
      endpoints: new Set(structures.flatMap((each) => [...each.clusters.values()].filter(isEds).map((cluster) => cluster.edsServiceName))),
      routes: new Set([...this.#options.staticRoutes, ...structures.flatMap((each) => [...each.listeners.values()].flatMap(routesOf))]),
      secrets: new Set([...this.#options.staticSecrets, ...secrets, ...running]),
    };
  }

  /** Hands out a configuration when one is due. */
  consider(accepted: Accepted): void {
    const next = this.#next(accepted);
    if (this.#missing(accepted, next).length === 0) this.#structure = next;
    if (this.#structure === undefined) return;
    const config = this.#assemble(accepted, this.#structure);
    if (config === this.#config) return;
    this.#config = config;
    this.#options.onConfig(config);
  }

  /** What is still waited for; for people. */
  missing(accepted: Accepted): readonly string[] {
    return this.#missing(accepted, this.#next(accepted));
  }

  #next(accepted: Accepted): Structure {
    const { statics, staticRoutes, staticSecrets } = this.#options;
    const listeners = new Map([...statics.listeners, ...values(accepted.listeners)]);
    const routeNames = new Set([...staticRoutes, ...[...listeners.values()].flatMap(routesOf)]);
    const routes = new Map([...statics.routes, ...[...values(accepted.routes)].filter(([name]) => routeNames.has(name))]);
    const clusters = new Map([...statics.clusters, ...values(accepted.clusters)]);
    this.#keepClustersInUse(clusters, { listeners, routes });
    const entries = [...accepted.clusters.values(), ...accepted.listeners.values()];
    const references = entries.flatMap((each) => each.references.secrets);
    return {
      clusters,
      listeners,
      routes,
      inlineSecrets: entries.flatMap((each) => each.inlineSecrets),
      adsSecrets: [...staticSecrets, ...references.filter(({ source }) => source === "ads").map(({ name }) => name)],
      identitySecrets: references.filter(({ source }) => source === "identity").map(({ name }) => name),
    };
  }

  /** Clusters that the control plane took away while routes still lead there: they get as long as everything else. */
  #keepClustersInUse(clusters: Map<string, ClusterConfig>, next: Pick<Structure, "listeners" | "routes">): void {
    const running = this.#structure;
    if (running === undefined) return;
    const gone = [...running.clusters.keys()].filter((name) => !clusters.has(name));
    const inUse = gone.length === 0 ? undefined : clustersInUse(next);
    const kept = gone.filter((name) => inUse!.has(name));
    this.#deadlines.watch("removed", kept);
    for (const name of kept) {
      if (!this.#deadlines.isOver("removed", name)) clusters.set(name, running.clusters.get(name)!);
    }
  }

  #missing(accepted: Accepted, next: Structure): readonly string[] {
    const endpoints = [...next.clusters.values()]
      .filter((each) => isEds(each) && !accepted.endpoints.has(each.edsServiceName))
      .map((each) => each.edsServiceName);
    const routes = [...next.listeners.values()].flatMap(routesOf).filter((name) => !next.routes.has(name));
    const secrets = [
      ...next.adsSecrets.filter((name) => !accepted.secrets.has(name)),
      ...next.identitySecrets.filter((name) => !accepted.identitySecrets.has(name)),
    ];
    this.#deadlines.watch("endpoints", endpoints);
    this.#deadlines.watch("routes", routes);
    this.#deadlines.watch("secret", secrets);
    return [
      ...endpoints.filter((name) => !this.#deadlines.isOver("endpoints", name)).map((name) => `endpoints ${name}`),
      ...routes.filter((name) => !this.#deadlines.isOver("routes", name)).map((name) => `routes ${name}`),
      ...secrets.filter((name) => !this.#deadlines.isOver("secret", name)).map((name) => `secret ${name}`),
    ];
  }

  #assemble(accepted: Accepted, structure: Structure): ProxyConfig {
    const { statics } = this.#options;
    const last = this.#config;
    const endpointNames = new Set([...structure.clusters.values()].filter(isEds).map((each) => each.edsServiceName));
    const secrets = new Map(statics.secrets);
    for (const secret of structure.inlineSecrets) secrets.set(secret.name, secret);
    for (const name of structure.adsSecrets) {
      const secret = accepted.secrets.get(name)?.value;
      if (secret !== undefined) secrets.set(name, secret);
    }
    for (const [name, secret] of accepted.identitySecrets) secrets.set(name, secret);
    const config: ProxyConfig = {
      clusters: share(last?.clusters, structure.clusters),
      endpoints: share(last?.endpoints, new Map([...values(accepted.endpoints)].filter(([name]) => endpointNames.has(name)))),
      listeners: share(last?.listeners, structure.listeners),
      routes: share(last?.routes, structure.routes),
      secrets: share(last?.secrets, secrets),
      names: accepted.names,
    };
    return last !== undefined && (Object.keys(config) as (keyof ProxyConfig)[]).every((key) => config[key] === last[key]) ? last : config;
  }
}

function isEds(cluster: ClusterConfig): boolean {
  return cluster.type === "eds";
}

function routesOf(listener: ListenerConfig): readonly string[] {
  const chains =
    listener.defaultFilterChain === undefined ? listener.filterChains : [...listener.filterChains, listener.defaultFilterChain];
  return chains.flatMap(({ filter }) => (filter.kind === "http" && filter.routes.kind === "rds" ? [filter.routes.name] : []));
}

function* values<T>(entries: ReadonlyMap<string, Entry<T>>): Generator<[string, T]> {
  for (const [name, { value }] of entries) yield [name, value];
}

/** The old map where both hold the very same values. */
function share<T>(last: ReadonlyMap<string, T> | undefined, next: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  if (last === undefined || last.size !== next.size) return next;
  for (const [name, value] of next) if (last.get(name) !== value) return next;
  return last;
}
