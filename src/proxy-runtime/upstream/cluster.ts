// A cluster at run time: its current configuration, its hosts and their pools. The object outlives configuration
// changes; hosts that stay keep their connections.
import { formatAddress } from "../../common/address.ts";
import type { ClusterConfig } from "../config/cluster-config.ts";
import type { EndpointConfig, EndpointsConfig } from "../config/endpoint-config.ts";
import type { StatsStore } from "../telemetry/stats-store.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { ClusterStats } from "./cluster-stats.ts";
import { HostSet } from "./host-set.ts";
import { NO_LOCALITY, UpstreamHost, selectTls } from "./host.ts";
import { LeastRequest } from "./load-balancer/least-request.ts";
import type { LoadBalancer } from "./load-balancer/load-balancer.ts";
import { RandomChoice } from "./load-balancer/random.ts";
import { RoundRobin } from "./load-balancer/round-robin.ts";
import { HostPools } from "./pool/host-pools.ts";
import type { PoolContext } from "./pool/pool-context.ts";
import type { Pool } from "./pool/pool.ts";
import { TunnelDial } from "./pool/tunnel-dial.ts";

export type ClusterDependencies = Pick<PoolContext, "io" | "secrets" | "timers"> & {
  readonly store: StatsStore;
  readonly random: () => number;
};

const OVERPROVISIONING = 140;

export class Cluster {
  readonly name: string;
  readonly stats: ClusterStats;
  readonly breaker: CircuitBreaker;
  config: ClusterConfig;
  #hosts: HostSet;
  #endpoints: EndpointsConfig | undefined = undefined;
  #balancer: LoadBalancer;
  readonly #random: () => number;
  readonly #pools: PoolContext;
  /** original_dst: hosts made on demand, by address. */
  readonly #onDemand = new Map<string, UpstreamHost>();

  constructor(config: ClusterConfig, dependencies: ClusterDependencies) {
    this.name = config.name;
    this.config = config;
    this.stats = new ClusterStats(dependencies.store, config.statName);
    this.breaker = new CircuitBreaker(config.circuitBreakers.default);
    this.#random = dependencies.random;
    this.#balancer = makeBalancer(config, dependencies.random);
    this.#hosts = new HostSet([], OVERPROVISIONING, config.panicThreshold);
    const { io, secrets, timers } = dependencies;
    this.#pools = { io, secrets, timers, stats: this.stats, breaker: this.breaker, config: () => this.config };
  }

  get hosts(): readonly UpstreamHost[] {
    return this.config.type === "original_dst" ? [...this.#onDemand.values()] : this.#hosts.all;
  }

  /** Takes a new configuration. Hosts are kept; those whose transport changed are made anew. */
  configure(config: ClusterConfig): void {
    if (config === this.config) return;
    const old = this.config;
    this.config = config;
    this.breaker.limits = config.circuitBreakers.default;
    if (old.lbPolicy !== config.lbPolicy || old.leastRequestChoices !== config.leastRequestChoices) {
      this.#balancer = makeBalancer(config, this.#random);
    }
    const sourceChanged = old.bindSourceAddresses.join() !== config.bindSourceAddresses.join();
    if (this.#endpoints !== undefined) this.#update(this.#endpoints, sourceChanged);
  }

  /** Takes the endpoints of an eds, static or resolved cluster. */
  setEndpoints(endpoints: EndpointsConfig): void {
    if (endpoints === this.#endpoints) return;
    this.#update(endpoints, false);
  }

  #update(endpoints: EndpointsConfig, renew: boolean): void {
    this.#endpoints = endpoints;
    const known = new Map(this.#hosts.all.map((host) => [`${host.priority} ${host.address}`, host]));
    const hosts: UpstreamHost[] = [];
    for (const locality of endpoints.localities) {
      const place = { region: locality.region, zone: locality.zone, subZone: locality.subZone };
      for (const endpoint of locality.endpoints) {
        const key = `${locality.priority} ${formatAddress(endpoint.address, endpoint.port)}`;
        const tls = selectTls(this.config, endpoint);
        let host = known.get(key);
        if (host !== undefined && !renew && sameTls(host.tls, tls)) {
          host.endpoint = endpoint;
          known.delete(key);
        } else host = new UpstreamHost(endpoint, place, locality.priority, tls);
        hosts.push(host);
      }
    }
    this.#hosts = new HostSet(hosts, endpoints.overprovisioningFactor, this.config.panicThreshold);
    for (const gone of known.values()) gone.pool?.drain();
    this.stats.membershipChange.inc();
    this.stats.membershipTotal.set(hosts.length);
    this.stats.membershipHealthy.set(this.#hosts.healthyCount);
    this.stats.updateSuccess.inc();
  }

  /**
   * A host for one request.
   * @param originalDst where the connection was going; clusters of type original_dst go there.
   * @param avoid hosts that were tried before; taken only where nothing else comes up in `attempts` draws.
   */
  pick(originalDst: SocketAddress | undefined, avoid: readonly UpstreamHost[] = [], attempts = 1): UpstreamHost | undefined {
    if (this.config.type === "original_dst") return originalDst === undefined ? undefined : this.#hostFor(originalDst);
    for (let attempt = 1; ; attempt += 1) {
      const candidates = this.#hosts.candidates(this.#hosts.levels.length > 1 ? this.#random() : 0);
      if (this.#hosts.isPanic(candidates)) this.stats.healthyPanic.inc();
      const host = this.#balancer.pick(candidates);
      if (host === undefined) this.stats.cxNoneHealthy.inc();
      if (host === undefined || attempt >= attempts || !avoid.includes(host)) return host;
    }
  }

  poolOf(host: UpstreamHost): Pool {
    return (host.pool ??= new HostPools(host, this.#pools));
  }

  /** A connection of its own for a CONNECT that ends at this proxy. */
  tunnelTo(host: UpstreamHost): TunnelDial {
    return new TunnelDial(host, this.#pools);
  }

  /** What a TCP proxy needs to dial by itself. */
  get poolContext(): PoolContext {
    return this.#pools;
  }

  /** Idle hosts of an original_dst cluster are forgotten; called every few seconds (Envoy's cleanup_interval). */
  forgetIdleHosts(): void {
    for (const [address, host] of this.#onDemand) {
      if (host.cxActive === 0 && host.rqActive === 0) this.#onDemand.delete(address);
    }
  }

  /** The cluster was removed: connections close when they are idle. */
  drain(): void {
    for (const host of this.hosts) host.pool?.drain();
  }

  #hostFor(destination: SocketAddress): UpstreamHost {
    const port = this.config.originalDstPort ?? destination.port;
    const address = formatAddress(destination.ip, port);
    let host = this.#onDemand.get(address);
    if (host === undefined) {
      const endpoint: EndpointConfig = {
        address: destination.ip,
        port,
        hostname: "",
        weight: 1,
        health: "healthy",
        transportSocketMatch: {},
        workload: undefined,
      };
      host = new UpstreamHost(endpoint, NO_LOCALITY, 0, selectTls(this.config, endpoint));
      this.#onDemand.set(address, host);
    }
    return host;
  }
}

function sameTls(left: UpstreamHost["tls"], right: UpstreamHost["tls"]): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right);
}

function makeBalancer(config: ClusterConfig, random: () => number): LoadBalancer {
  if (config.lbPolicy === "least_request") return new LeastRequest(random, config.leastRequestChoices);
  if (config.lbPolicy === "random") return new RandomChoice(random);
  return new RoundRobin(random);
}
