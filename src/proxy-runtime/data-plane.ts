// The data half of the proxy: listeners, routes, clusters. Takes whole configurations and answers questions; everything
// that crosses its border is plain data or a function, so that it may live in a thread of its own.
import { performance } from "node:perf_hooks";
import { formatAddress } from "../common/address.ts";
import type { ClusterStatus, HostStatus, ListenerStatus } from "./admin/data-plane-view.ts";
import type { ListenerConfig } from "./config/listener-config.ts";
import { EMPTY_PROXY_CONFIG, type ProxyConfig } from "./config/proxy-config.ts";
import type { ListenerServices } from "./listener/connection-manager.ts";
import { ListenerManager } from "./listener/listener-manager.ts";
import { RouteTables } from "./router/route-tables.ts";
import { AccessLogs } from "./telemetry/access-log/access-logs.ts";
import { InternalErrors } from "./telemetry/internal-errors.ts";
import { IstioMetrics } from "./telemetry/istio-metrics.ts";
import { RefusalLog } from "./telemetry/refusal-log.ts";
import type { StatsStore } from "./telemetry/stats-store.ts";
import { workloadLookup, type WorkloadFacts } from "./telemetry/workload-facts.ts";
import { BlockPool } from "./transport/block-pool.ts";
import type { IoContext } from "./transport/connection.ts";
import { FlushQueue } from "./transport/flush-queue.ts";
import { loadOriginalDst, type OriginalDst } from "./transport/original-dst.ts";
import { Secrets } from "./transport/secrets.ts";
import { SharedReadBuffer } from "./transport/shared-read-buffer.ts";
import { Timers } from "./transport/timers.ts";
import { ClusterManager } from "./upstream/cluster-manager.ts";
import type { UpstreamHost } from "./upstream/host.ts";

export interface DataPlaneOptions {
  readonly stats: StatsStore;
  readonly workload: WorkloadFacts;
  readonly onLog: (level: "debug" | "warn" | "error", message: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface ListenFailure {
  readonly name: string;
  readonly config: ListenerConfig;
  readonly error: NodeJS.ErrnoException;
}

export class DataPlane {
  readonly #clusters: ClusterManager;
  readonly #listeners: ListenerManager;
  readonly #routes = new RouteTables();
  readonly #secrets = new Secrets();
  readonly #accessLogs: AccessLogs;
  #config: ProxyConfig = EMPTY_PROXY_CONFIG;
  #originalDst: OriginalDst | undefined = undefined;
  #applying: Promise<unknown> = Promise.resolve();

  constructor({ stats, workload, onLog }: DataPlaneOptions) {
    const internalErrors = new InternalErrors(stats, (message, fields) => onLog("error", message, fields));
    const onInternalError = (thrown: unknown): void => internalErrors.note(thrown);
    const timers = new Timers(onInternalError);
    const io: IoContext = {
      reads: new SharedReadBuffer(),
      queue: new FlushQueue(onInternalError),
      blocks: new BlockPool(),
      onInternalError,
    };
    const lookupWorkload = workloadLookup(() => this.#config.endpoints);
    const metrics = new Map<string, IstioMetrics>();
    const refusals = new RefusalLog(
      (message, fields) => onLog("warn", message, fields),
      () => performance.now(),
    );
    this.#accessLogs = new AccessLogs(stats);
    this.#clusters = new ClusterManager({ io, secrets: this.#secrets, timers, store: stats, random: Math.random });
    const services: ListenerServices = {
      clusters: this.#clusters,
      timers,
      random: Math.random,
      stats,
      routeTable: (name) => this.#routes.get(name),
      accessLogger: (config) => this.#accessLogs.logger(config),
      metrics: (reporter) => {
        let known = metrics.get(reporter);
        if (known === undefined) metrics.set(reporter, (known = new IstioMetrics(stats, reporter, workload, { lookupWorkload })));
        return known;
      },
    };
    this.#listeners = new ListenerManager(
      {
        services,
        io,
        secrets: this.#secrets,
        originalDst: (socket) => this.#originalDst?.(socket),
        onRefused: (listener, remote, local, reason) =>
          refusals.note({
            listener,
            remote: formatAddress(remote.ip, remote.port),
            remoteIp: remote.ip,
            local: formatAddress(local.ip, local.port),
            reason,
          }),
      },
      stats,
    );
  }

  /**
   * Makes a configuration the current one: clusters, then routes, then listeners; removals in reverse. Calls are served
   * one after the other.
   * @returns listeners whose address could not be bound; everything else is in force.
   */
  apply(config: ProxyConfig): Promise<readonly ListenFailure[]> {
    const applied = this.#applying.then(() => this.#apply(config));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  async #apply(config: ProxyConfig): Promise<readonly ListenFailure[]> {
    if (this.#originalDst === undefined && [...config.listeners.values()].some((each) => each.restoreOriginalDst)) {
      this.#originalDst = await loadOriginalDst();
    }
    this.#config = config;
    this.#secrets.replace(config.secrets);
    this.#clusters.apply(config);
    this.#routes.apply(config.routes);
    const failures = await this.#listeners.apply(config);
    this.#clusters.removeMissing(config);
    return failures;
  }

  /** Names for DNS, as of now. */
  names(): ProxyConfig["names"] {
    return this.#config.names;
  }

  secrets(): ProxyConfig["secrets"] {
    return this.#config.secrets;
  }

  clusterStatuses(isStatic: (name: string) => boolean): readonly ClusterStatus[] {
    return [...this.#clusters.all()].map((cluster) => ({
      config: cluster.config,
      addedViaApi: !isStatic(cluster.name),
      hosts: cluster.hosts.map(toHostStatus),
    }));
  }

  listenerStatuses(): readonly ListenerStatus[] {
    return [...this.#listeners.all()].flatMap((listener) =>
      listener.boundAddresses.map(({ ip, port }) => ({ name: listener.config.name, ip, port })),
    );
  }

  get activeConnections(): number {
    let sum = 0;
    for (const listener of this.#listeners.all()) sum += listener.activeConnections;
    return sum;
  }

  /** HTTP connections end after their present request; with `close` the sockets stop accepting, too. */
  drain(options: { inboundOnly: boolean; close: boolean }): void {
    for (const listener of this.#listeners.all()) {
      if (options.inboundOnly && listener.config.direction !== "inbound") continue;
      listener.drain();
      if (options.close) listener.closeSockets();
    }
  }

  reopenLogs(): void {
    this.#accessLogs.reopen();
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    for (const listener of this.#listeners.all()) listener.destroy();
    this.#clusters.stop();
    await this.#accessLogs.close();
  }
}

function toHostStatus(host: UpstreamHost): HostStatus {
  return {
    address: host.address,
    ip: host.ip,
    port: host.port,
    endpoint: host.endpoint,
    locality: host.locality,
    priority: host.priority,
    failedOutlierCheck: false,
    cxActive: host.cxActive,
    cxConnectFail: host.cxConnectFail,
    cxTotal: host.cxTotal,
    rqActive: host.rqActive,
    rqError: host.rqError,
    rqSuccess: host.rqSuccess,
    rqTimeout: host.rqTimeout,
    rqTotal: host.rqTotal,
  };
}
