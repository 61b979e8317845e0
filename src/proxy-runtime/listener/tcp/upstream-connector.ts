// Reaches a host for one relay: chooses cluster and host, opens the connection, and tries again after a failure as often
// as max_connect_attempts allows, another host where there is one.
import { performance } from "node:perf_hooks";
import { Alpn } from "../../../xds/names.ts";
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import type { StreamInfo } from "../../telemetry/stream-info.ts";
import { dial, type DialOutcome } from "../../transport/dial.ts";
import type { SocketAddress } from "../../transport/socket-address.ts";
import type { Cluster } from "../../upstream/cluster.ts";
import type { UpstreamHost } from "../../upstream/host.ts";
import { sourceAddressFor } from "../../upstream/source-address.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

export type Reached = Extract<DialOutcome, { connection: unknown }>;

export interface ConnectorOwner {
  onReached(reached: Reached): void;
  onUnreachable(cause: Cause, detail: string): void;
}

// How often the load balancer is asked for a host that was not tried yet.
const HOST_DRAWS = 3;

export class UpstreamConnector {
  /** Of the present attempt. */
  cluster: Cluster | undefined = undefined;
  readonly #proxy: TcpProxy;
  readonly #info: StreamInfo;
  readonly #originalDst: SocketAddress | undefined;
  readonly #owner: ConnectorOwner;
  readonly #tried: UpstreamHost[] = [];
  #host: UpstreamHost | undefined = undefined;
  #cancelDial: (() => void) | undefined = undefined;

  constructor(proxy: TcpProxy, info: StreamInfo, originalDst: SocketAddress | undefined, owner: ConnectorOwner) {
    this.#proxy = proxy;
    this.#info = info;
    this.#originalDst = originalDst;
    this.#owner = owner;
  }

  /** The owner is told of the outcome once, perhaps before this returns. */
  connect(): void {
    const { services, stats } = this.#proxy;
    const name = this.#proxy.chooseCluster();
    this.#info.clusterName = name;
    const cluster = services.clusters.get(name);
    if (cluster === undefined) {
      stats.cxNoRoute.inc();
      return this.#owner.onUnreachable(Causes.noCluster, `cluster ${name} is unknown`);
    }
    this.cluster = cluster;
    if (!cluster.breaker.admitsConnection()) {
      cluster.stats.cxOverflow.inc();
      return this.#owner.onUnreachable(Causes.upstreamOverflow, `cluster ${name} has its most connections`);
    }
    const host = cluster.pick(this.#originalDst, this.#tried, HOST_DRAWS);
    if (host === undefined) return this.#owner.onUnreachable(Causes.noHealthyUpstream, `cluster ${name} has no healthy host`);
    this.#dial(cluster, host);
  }

  #dial(cluster: Cluster, host: UpstreamHost): void {
    const startedAt = performance.now();
    this.#host = host;
    this.#info.upstreamHost = host.address;
    this.#info.upstreamWorkload = host.endpoint.workload;
    this.#info.attempts += 1;
    this.#countOpened(cluster, host);
    const { config } = cluster;
    this.#cancelDial = dial(
      {
        ip: host.ip,
        port: host.port,
        tls: host.tls,
        // The mesh transport is HTTP/2: a peer that read it here would take bytes for frames.
        alpn: host.tls?.alpn.filter((each) => each !== Alpn.meshTransport),
        bindSourceAddress: sourceAddressFor(config, host.ip),
        timeoutMs: config.connectTimeoutMs,
        keepalive: config.tcpKeepalive,
      },
      this.#proxy.io,
      cluster.poolContext.secrets,
      this.#proxy.services.timers,
      (outcome) => {
        this.#cancelDial = undefined;
        cluster.stats.cxConnectMs.record(performance.now() - startedAt);
        if ("cause" in outcome) return this.#onFailed(cluster, host, outcome.cause, outcome.detail);
        if (host.tls !== undefined) cluster.stats.sslHandshake.inc();
        this.#owner.onReached(outcome);
      },
    );
  }

  #onFailed(cluster: Cluster, host: UpstreamHost, cause: Cause, detail: string): void {
    const { stats } = cluster;
    stats.cxConnectFail.inc();
    if (cause === Causes.connectTimeout) stats.cxConnectTimeout.inc();
    if (cause === Causes.tlsFailure) stats.sslConnectionError.inc();
    if (cause === Causes.tlsPeerIdentity) stats.sslFailVerifySan.inc();
    host.cxConnectFail += 1;
    this.closed();
    this.#info.upstreamTransportFailure = detail;
    this.#tried.push(host);
    if (this.#info.attempts < this.#proxy.config.maxConnectAttempts) return this.connect();
    stats.cxConnectAttemptsExceeded.inc();
    this.#info.retryFlag = "URX";
    this.#owner.onUnreachable(cause, detail);
  }

  /** Gives the attempt under way up. */
  cancel(): void {
    if (this.#cancelDial === undefined) return;
    this.#cancelDial();
    this.#cancelDial = undefined;
    this.closed();
  }

  /** The connection of the last attempt is gone. */
  closed(): void {
    const cluster = this.cluster!;
    cluster.breaker.connections -= 1;
    cluster.stats.cxActive.dec();
    cluster.stats.cxDestroy.inc();
    this.#host!.cxActive -= 1;
  }

  #countOpened(cluster: Cluster, host: UpstreamHost): void {
    cluster.breaker.connections += 1;
    cluster.stats.cxTotal.inc();
    cluster.stats.cxActive.inc();
    host.cxActive += 1;
    host.cxTotal += 1;
  }
}
