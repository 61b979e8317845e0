// Relays bytes between a downstream connection and one to an upstream host: half-close and backpressure both ways.
import { performance } from "node:perf_hooks";
import { Alpn } from "../../xds/names.ts";
import type { TcpProxyConfig } from "../config/listener-config.ts";
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import type { AccessLogger } from "../telemetry/access-log/access-logs.ts";
import type { IstioMetrics, TcpMeter } from "../telemetry/istio-metrics.ts";
import { StreamInfo, type ConnectionInfo } from "../telemetry/stream-info.ts";
import type { Connection, ConnectionReceiver } from "../transport/connection.ts";
import { dial } from "../transport/dial.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import { TimerEntry, type TimerOwner } from "../transport/timers.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { UpstreamHost } from "../upstream/host.ts";
import { sourceAddressFor } from "../upstream/source-address.ts";
import type { ListenerServices } from "./connection-manager.ts";
import { TcpStats } from "./tcp-stats.ts";

/** A TCP proxy filter at run time, shared by the connections of its filter chain. */
export class TcpProxy {
  readonly config: TcpProxyConfig;
  readonly services: ListenerServices;
  readonly stats: TcpStats;
  readonly metrics: IstioMetrics | undefined;
  readonly accessLogs: readonly AccessLogger[];
  readonly #totalWeight: number;

  constructor(config: TcpProxyConfig, services: ListenerServices) {
    this.config = config;
    this.services = services;
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

/** One side of the relay: what it reads goes to `other`. */
class Side implements ConnectionReceiver {
  readonly connection: Connection;
  readonly #relay: TcpRelay;
  other: Side | undefined = undefined;
  readonly isDownstream: boolean;
  ended = false;

  constructor(connection: Connection, relay: TcpRelay, isDownstream: boolean) {
    this.connection = connection;
    this.#relay = relay;
    this.isDownstream = isDownstream;
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#relay.onRelayed(this.isDownstream, length);
    const writer = this.other!.connection.writer;
    writer.writeBytes(length === buffer.length ? buffer : buffer.subarray(0, length));
    if (writer.isBlocked) this.connection.pause();
  }

  onEnd(): void {
    this.ended = true;
    this.other?.connection.end();
  }

  onWritable(): void {
    this.other?.connection.resume();
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    this.#relay.onSideClosed(this, error);
  }
}

export class TcpRelay implements TimerOwner {
  readonly #proxy: TcpProxy;
  readonly #downstream: Side;
  readonly #info: StreamInfo;
  readonly #originalDst: SocketAddress | undefined;
  readonly #onClosed: () => void;
  readonly #idleTimer: TimerEntry;
  #cluster: Cluster | undefined = undefined;
  #host: UpstreamHost | undefined = undefined;
  #upstream: Side | undefined = undefined;
  #meter: TcpMeter | undefined = undefined;
  #cancelDial: (() => void) | undefined = undefined;
  #ownExpiryMs: number | undefined = undefined;
  #over = false;
  #closedSides = 0;

  constructor(connection: Connection, proxy: TcpProxy, info: ConnectionInfo, originalDst: SocketAddress | undefined, onClosed: () => void) {
    this.#proxy = proxy;
    this.#downstream = new Side(connection, this, true);
    this.#info = new StreamInfo(info, performance.now());
    this.#originalDst = originalDst;
    this.#onClosed = onClosed;
    this.#idleTimer = new TimerEntry(this, 0);
    proxy.stats.cxTotal.inc();
    proxy.stats.cxActive.inc();
    // Until the upstream is there, only the downstream's end is of interest; its bytes wait in the kernel.
    connection.socket.once("close", this.#onEarlyClose);
    this.#connect();
  }

  destroy(): void {
    this.#downstream.connection.destroy();
    this.#upstream?.connection.destroy();
  }

  #connect(): void {
    const { services } = this.#proxy;
    const name = this.#proxy.chooseCluster();
    this.#info.clusterName = name;
    const cluster = services.clusters.get(name);
    if (cluster === undefined) {
      this.#proxy.stats.cxNoRoute.inc();
      return this.#fail(Causes.noCluster, `cluster ${name} is unknown`);
    }
    this.#cluster = cluster;
    const host = cluster.pick(this.#originalDst);
    if (host === undefined) return this.#fail(Causes.noHealthyUpstream, `cluster ${name} has no healthy host`);
    if (!cluster.breaker.admitsConnection()) {
      cluster.stats.cxOverflow.inc();
      return this.#fail(Causes.upstreamOverflow, `cluster ${name} has its most connections`);
    }
    this.#host = host;
    this.#info.upstreamHost = host.address;
    this.#info.upstreamWorkload = host.endpoint.workload;
    this.#info.attempts = 1;
    this.#countOpen(cluster, host);
    const { io, secrets } = cluster.poolContext;
    this.#cancelDial = dial(
      {
        ip: host.ip,
        port: host.port,
        tls: host.tls,
        // The mesh transport is HTTP/2: a peer that read it here would take bytes for frames.
        alpn: host.tls?.alpn.filter((each) => each !== Alpn.meshTransport),
        bindSourceAddress: sourceAddressFor(cluster.config, host.ip),
        timeoutMs: cluster.config.connectTimeoutMs,
      },
      io,
      secrets,
      services.timers,
      (outcome) => {
        this.#cancelDial = undefined;
        if ("cause" in outcome) {
          cluster.stats.cxConnectFail.inc();
          host.cxConnectFail += 1;
          this.#countClosed();
          this.#info.upstreamTransportFailure = outcome.detail;
          this.#fail(outcome.cause, outcome.detail);
        } else {
          this.#ownExpiryMs = outcome.ownExpiryMs;
          this.#join(outcome.connection, outcome.peerUri);
        }
      },
    );
  }

  #join(connection: Connection, peerUri: string): void {
    const downstream = this.#downstream;
    const upstream = new Side(connection, this, false);
    this.#upstream = upstream;
    this.#info.upstreamPeerUri = peerUri;
    this.#info.viaUpstream = true;
    upstream.other = downstream;
    downstream.other = upstream;
    this.#meter = this.#proxy.metrics?.openTcp(this.#info, this.#cluster!.config.service);
    downstream.connection.socket.off("close", this.#onEarlyClose);
    connection.start(upstream, true);
    downstream.connection.start(downstream, false);
    this.#touch();
  }

  onRelayed(fromDownstream: boolean, bytes: number): void {
    const { stats } = this.#proxy;
    if (fromDownstream) {
      this.#info.bytesReceived += bytes;
      stats.rxBytes.add(bytes);
      this.#cluster!.stats.cxTxBytes.add(bytes);
      this.#meter?.add(bytes, 0);
    } else {
      this.#info.bytesSent += bytes;
      stats.txBytes.add(bytes);
      this.#cluster!.stats.cxRxBytes.add(bytes);
      this.#meter?.add(0, bytes);
    }
    this.#touch();
  }

  onSideClosed(side: Side, error: NodeJS.ErrnoException | undefined): void {
    this.#closedSides += 1;
    const other = side.other!;
    if (error !== undefined && !this.#over) {
      if (side.isDownstream) this.#info.fail(Causes.downstreamDisconnect, error.code ?? error.message);
      else this.#info.fail(Causes.upstreamClosedMidway, error.code ?? error.message);
    }
    const ownExpiryMs = side.isDownstream || this.#info.bytesSent > 0 || this.#over ? undefined : this.#ownExpiryMs;
    if (ownExpiryMs !== undefined) {
      this.#info.fail(Causes.ownCertificateExpired, `own certificate expired at ${new Date(ownExpiryMs).toISOString()}`);
      other.connection.destroy(true);
    }
    // An orderly end of both halves lets the rest drain; anything else ends both sides at once.
    else if (!(side.ended && error === undefined)) other.connection.destroy(error !== undefined);
    else other.connection.end();
    if (!side.isDownstream) this.#countClosed();
    if (this.#closedSides === 2) this.#finish();
  }

  onTimer(): void {
    this.#proxy.stats.idleTimeout.inc();
    this.#info.fail(Causes.streamIdleMidway, `no byte for ${this.#proxy.config.idleTimeoutMs} ms`);
    this.destroy();
  }

  readonly #onEarlyClose = (): void => {
    if (this.#cancelDial !== undefined) {
      this.#cancelDial();
      this.#countClosed();
      this.#info.fail(Causes.downstreamDisconnect, "client closed the connection before the upstream was reached");
    }
    this.#finish();
  };

  #fail(cause: Cause, detail: string): void {
    this.#info.fail(cause, detail);
    // The failed connection is reported, too: it was asked for.
    this.#meter ??= this.#proxy.metrics?.openTcp(this.#info, this.#cluster?.config.service);
    this.#downstream.connection.destroy(true);
  }

  #touch(): void {
    const { idleTimeoutMs } = this.#proxy.config;
    if (idleTimeoutMs > 0) this.#proxy.services.timers.arm(this.#idleTimer, idleTimeoutMs);
  }

  #countOpen(cluster: Cluster, host: UpstreamHost): void {
    cluster.breaker.connections += 1;
    cluster.stats.cxTotal.inc();
    cluster.stats.cxActive.inc();
    host.cxActive += 1;
    host.cxTotal += 1;
  }

  #countClosed(): void {
    const cluster = this.#cluster!;
    cluster.breaker.connections -= 1;
    cluster.stats.cxActive.dec();
    cluster.stats.cxDestroy.inc();
    this.#host!.cxActive -= 1;
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    const { services, stats, accessLogs } = this.#proxy;
    services.timers.disarm(this.#idleTimer);
    stats.cxActive.dec();
    this.#info.endedAt = performance.now();
    this.#meter?.closed(this.#info.cause);
    for (const log of accessLogs) log(this.#info);
    this.#onClosed();
  }
}
