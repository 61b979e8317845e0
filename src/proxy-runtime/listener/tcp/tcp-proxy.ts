// A TCP proxy filter at run time, shared by the connections of its filter chain.
import type { TcpProxyConfig } from "../../config/listener-config.ts";
import type { AccessLogger } from "../../telemetry/access-log/access-logs.ts";
import type { IstioMetrics } from "../../telemetry/istio-metrics.ts";
import type { IoContext } from "../../transport/connection.ts";
import type { ListenerServices } from "../connection-manager.ts";
import { TcpStats } from "./tcp-stats.ts";

export class TcpProxy {
  readonly config: TcpProxyConfig;
  readonly services: ListenerServices;
  /** What the connections of both ends are made with. */
  readonly io: IoContext;
  readonly stats: TcpStats;
  readonly metrics: IstioMetrics | undefined;
  readonly accessLogs: readonly AccessLogger[];
  readonly #totalWeight: number;

  constructor(config: TcpProxyConfig, services: ListenerServices, io: IoContext) {
    this.config = config;
    this.services = services;
    this.io = { ...io, reads: io.relayReads };
    this.stats = new TcpStats(services.stats, config.statPrefix);
    this.metrics = config.reporter === undefined ? undefined : services.metrics(config.reporter);
    this.accessLogs = config.accessLogs.map((each) => services.accessLogger(each));
    this.#totalWeight = config.clusters.reduce((sum, each) => sum + each.weight, 0);
  }

  chooseCluster(): string {
    const { clusters } = this.config;
    if (clusters.length === 1) return clusters[0]!.cluster;
    let rest = this.services.random() * this.#totalWeight;
    for (const each of clusters) {
      rest -= each.weight;
      if (rest < 0) return each.cluster;
    }
    return clusters[clusters.length - 1]!.cluster;
  }
}
