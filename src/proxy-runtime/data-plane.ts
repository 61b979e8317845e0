// The data half of the proxy: listeners, routes, clusters. Takes whole configurations and answers questions; everything
// that crosses its border is plain data or a function, so that it may live in a thread of its own.
import { performance } from "node:perf_hooks";
import { formatAddress } from "../common/address.ts";
import type { HostStatus, ListenerStatus } from "./admin/data-plane-view.ts";
import { EMPTY_PROXY_CONFIG, type ProxyConfig } from "./config/proxy-config.ts";
import type { ListenerServices } from "./listener/connection-manager.ts";
import type { WorkerNumber } from "./listener/listener.ts";
import { ListenerManager, type BindFailure } from "./listener/listener-manager.ts";
import { RouteTables } from "./router/route-tables.ts";
import { Specimens } from "./transport/specimens.ts";
import { AccessLogs } from "./telemetry/access-log/access-logs.ts";
import type { WriteBlock } from "./telemetry/access-log/write-whole.ts";
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
import { RELAY_READ_BYTES, SharedReadBuffer } from "./transport/shared-read-buffer.ts";
import { Timers } from "./transport/timers.ts";
import { TurnBudget } from "./transport/turn-budget.ts";
import { ClusterManager } from "./upstream/cluster-manager.ts";
import type { UpstreamHost } from "./upstream/host.ts";
import type { DataHalf, DrainOrder, ListenFailure } from "./workers/data-half.ts";

export interface DataPlaneOptions {
  readonly worker: WorkerNumber;
  readonly stats: StatsStore;
  readonly workload: WorkloadFacts;
  /** Writes access logs that go to standard output and error, where this thread is not the only one. */
  readonly writeStandard?: WriteBlock;
  readonly onLog: (level: "debug" | "warn" | "error", message: string, fields: Readonly<Record<string, unknown>>) => void;
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

  constructor({ worker, stats, workload, writeStandard, onLog }: DataPlaneOptions) {
    const internalErrors = new InternalErrors(stats, (message, fields) => onLog("error", message, fields));
    const onInternalError = (thrown: unknown): void => internalErrors.note(thrown);
    const timers = new Timers(onInternalError);
    const queue = new FlushQueue(onInternalError);
    const io: IoContext = {
      reads: new SharedReadBuffer(),
      queue,
      blocks: new BlockPool(),
      relayReads: new SharedReadBuffer(RELAY_READ_BYTES),
      relayBlocks: new BlockPool(RELAY_READ_BYTES),
      relayTurn: new TurnBudget(queue),
      onInternalError,
    };
    const lookupWorkload = workloadLookup(() => this.#config.endpoints);
    const metrics = new Map<string, IstioMetrics>();
    const refusals = new RefusalLog(
      (message, fields) => onLog("warn", message, fields),
      () => performance.now(),
    );
    this.#accessLogs = new AccessLogs(stats, writeStandard);
    this.#clusters = new ClusterManager({ io, secrets: this.#secrets, timers, store: stats, random: Math.random });
    const services: ListenerServices = {
      clusters: this.#clusters,
      timers,
      specimens: new Specimens(),
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
        worker,
        services,
        io,
        secrets: this.#secrets,
        originalDst: (socket) => this.#originalDst?.(socket),
        onRefused: (listener, remote, local, reason, cause) =>
          refusals.note({
            listener,
            remote: formatAddress(remote.ip, remote.port),
            remoteIp: remote.ip,
            local: formatAddress(local.ip, local.port),
            reason,
            cause,
          }),
      },
      stats,
    );
  }

  /**
   * Makes a configuration the current one: clusters, then routes, then listeners; removals in reverse. Calls are served
   * one after the other.
   * @param ports of listeners that ask for port 0, where the system has chosen already.
   * @returns listeners whose address could not be bound; everything else is in force.
   */
  apply(config: ProxyConfig, ports: ReadonlyMap<string, readonly number[]> = new Map()): Promise<readonly BindFailure[]> {
    const applied = this.#applying.then(() => this.#apply(config, ports));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  async #apply(config: ProxyConfig, ports: ReadonlyMap<string, readonly number[]>): Promise<readonly BindFailure[]> {
    if (this.#originalDst === undefined && [...config.listeners.values()].some((each) => each.restoreOriginalDst)) {
      this.#originalDst = await loadOriginalDst();
    }
    this.#config = config;
    this.#secrets.replace(config.secrets);
    this.#clusters.apply(config);
    this.#routes.apply(config.routes);
    const failures = await this.#listeners.apply(config, ports);
    this.#clusters.removeMissing(config);
    return failures;
  }

  /** By cluster name. */
  hostStatuses(): ReadonlyMap<string, readonly HostStatus[]> {
    return new Map([...this.#clusters.all()].map((cluster) => [cluster.name, cluster.hosts.map(toHostStatus)]));
  }

  listenerStatuses(): readonly ListenerStatus[] {
    return [...this.#listeners.all()].flatMap((listener) =>
      listener.boundAddresses.map(({ ip, port }) => ({ name: listener.config.name, ip, port })),
    );
  }

  /** Of listeners that ask for port 0: what the system chose, by address. */
  chosenPorts(): ReadonlyMap<string, readonly number[]> {
    return new Map(
      [...this.#listeners.all()]
        .filter(({ config }) => [config.address, ...config.additionalAddresses].some(({ port }) => port === 0))
        .map((listener) => [listener.config.name, listener.boundAddresses.map(({ port }) => port)]),
    );
  }

  get activeConnections(): number {
    let sum = 0;
    for (const listener of this.#listeners.all()) sum += listener.activeConnections;
    return sum;
  }

  /** HTTP connections end after their present request; with `close` the sockets stop accepting, too. */
  drain(order: DrainOrder): void {
    for (const listener of this.#listeners.all()) {
      if (order.inboundOnly && listener.config.direction !== "inbound") continue;
      listener.drain(order.idleGraceMs);
      if (order.close) listener.closeSockets();
    }
  }

  reopenLogs(): void {
    this.#accessLogs.reopen();
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    for (const listener of this.#listeners.all()) listener.destroy();
    this.#clusters.stop();
    // Sockets tell of their end in the next turn: what they carried is to be logged yet.
    await new Promise((resolve) => setImmediate(resolve));
    await this.#accessLogs.close();
  }
}

/** The data half as the other half sees it, in this thread. */
export function dataHalfOf(plane: DataPlane): DataHalf {
  return {
    apply: async (config) => (await plane.apply(config)).map(toListenFailure),
    hosts: async () => plane.hostStatuses(),
    listeners: async () => plane.listenerStatuses(),
    activeConnections: async () => plane.activeConnections,
    memory: async () => process.memoryUsage(),
    drain: async (order) => plane.drain(order),
    reopenLogs: async () => plane.reopenLogs(),
    stop: () => plane.stop(),
  };
}

export function toListenFailure({ name, config, error }: BindFailure): ListenFailure {
  // Of the address that failed, which may be an additional one.
  const { address = config.address.host, port = config.address.port } = error as { address?: string; port?: number };
  return { listener: name, host: address, port, code: error.code ?? error.message };
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
