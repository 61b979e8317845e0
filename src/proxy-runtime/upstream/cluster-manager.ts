// All clusters by name. Applied first of all configuration, so that no route or listener meets a cluster that is not there.
import type { ProxyConfig } from "../config/proxy-config.ts";
import { Cluster, type ClusterDependencies } from "./cluster.ts";
import { DnsResolver } from "./dns-resolver.ts";
import type { Counter, Gauge } from "../telemetry/stats-store.ts";

const CLEANUP_INTERVAL_MS = 5000;

export class ClusterManager {
  readonly #dependencies: ClusterDependencies;
  readonly #clusters = new Map<string, Cluster>();
  readonly #resolvers = new Map<string, DnsResolver>();
  readonly #active: Gauge;
  readonly #added: Counter;
  readonly #modified: Counter;
  readonly #removed: Counter;
  readonly #cleanup: NodeJS.Timeout;

  constructor(dependencies: ClusterDependencies) {
    this.#dependencies = dependencies;
    const scope = dependencies.store.plainScope("cluster_manager");
    this.#active = scope.gauge("active_clusters", "max");
    this.#added = scope.counter("cluster_added", undefined, "max");
    this.#modified = scope.counter("cluster_modified", undefined, "max");
    this.#removed = scope.counter("cluster_removed", undefined, "max");
    this.#cleanup = setInterval(() => this.#forgetIdleHosts(), CLEANUP_INTERVAL_MS).unref();
  }

  get(name: string): Cluster | undefined {
    return this.#clusters.get(name);
  }

  all(): IterableIterator<Cluster> {
    return this.#clusters.values();
  }

  /** Adds and updates; clusters that are gone stay until `removeMissing`, after routes have let go of them. */
  apply(config: ProxyConfig): void {
    for (const each of config.clusters.values()) {
      let cluster = this.#clusters.get(each.name);
      if (cluster === undefined || cluster.config.type !== each.type) {
        cluster?.drain();
        cluster = new Cluster(each, this.#dependencies);
        this.#clusters.set(each.name, cluster);
        this.#added.inc();
        this.#resolve(cluster);
      } else if (cluster.config !== each) {
        cluster.configure(each);
        this.#modified.inc();
        this.#resolve(cluster);
      }
      const endpoints =
        each.type === "eds" ? config.endpoints.get(each.edsServiceName) : each.type === "static" ? each.staticEndpoints : undefined;
      if (endpoints !== undefined) cluster.setEndpoints(endpoints);
    }
    this.#active.set(this.#clusters.size);
  }

  removeMissing(config: ProxyConfig): void {
    for (const [name, cluster] of this.#clusters) {
      if (config.clusters.has(name)) continue;
      this.#clusters.delete(name);
      this.#resolvers.get(name)?.stop();
      this.#resolvers.delete(name);
      cluster.drain();
      this.#removed.inc();
    }
    this.#active.set(this.#clusters.size);
  }

  stop(): void {
    clearInterval(this.#cleanup);
    for (const resolver of this.#resolvers.values()) resolver.stop();
    for (const cluster of this.#clusters.values()) cluster.drain();
  }

  #resolve(cluster: Cluster): void {
    this.#resolvers.get(cluster.name)?.stop();
    this.#resolvers.delete(cluster.name);
    const { type } = cluster.config;
    if (type !== "strict_dns" && type !== "logical_dns") return;
    this.#resolvers.set(cluster.name, new DnsResolver(cluster.config, (endpoints) => cluster.setEndpoints(endpoints)));
  }

  #forgetIdleHosts(): void {
    for (const cluster of this.#clusters.values()) if (cluster.config.type === "original_dst") cluster.forgetIdleHosts();
  }
}
