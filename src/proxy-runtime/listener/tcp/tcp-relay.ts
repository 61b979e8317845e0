// One relayed connection: from the accepted connection over the upstream's to the access log. Half-close and
// backpressure go both ways; a reset on one side is a reset on the other.
import { performance } from "node:perf_hooks";
import { formatAddress } from "../../../common/address.ts";
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import type { TcpMeter } from "../../telemetry/istio-metrics.ts";
import { StreamInfo, type ConnectionInfo } from "../../telemetry/stream-info.ts";
import { INTERNAL_ERROR, type Connection } from "../../transport/connection.ts";
import type { SocketAddress } from "../../transport/socket-address.ts";
import { TimerEntry, type TimerOwner } from "../../transport/timers.ts";
import { RelayEnd, type RelayEndOwner } from "./relay-end.ts";
import type { TcpProxy } from "./tcp-proxy.ts";
import { UpstreamConnector, type ConnectorOwner, type Reached } from "./upstream-connector.ts";

const IDLE = 0;
const DURATION = 1;

export class TcpRelay implements TimerOwner, RelayEndOwner, ConnectorOwner {
  readonly #proxy: TcpProxy;
  readonly #info: StreamInfo;
  readonly #onClosed: () => void;
  readonly #downstream: RelayEnd;
  readonly #connector: UpstreamConnector;
  readonly #idleTimer: TimerEntry;
  readonly #durationTimer: TimerEntry;
  #upstream: RelayEnd | undefined = undefined;
  #meter: TcpMeter | undefined = undefined;
  #ownExpiryMs: number | undefined = undefined;

  /** @param onClosed called once, when both connections are gone. */
  constructor(connection: Connection, proxy: TcpProxy, info: ConnectionInfo, originalDst: SocketAddress | undefined, onClosed: () => void) {
    this.#proxy = proxy;
    this.#info = new StreamInfo(info, performance.now());
    this.#onClosed = onClosed;
    this.#downstream = new RelayEnd(connection, this, proxy.io);
    this.#connector = new UpstreamConnector(proxy, this.#info, originalDst, this);
    this.#idleTimer = new TimerEntry(this, IDLE);
    this.#durationTimer = new TimerEntry(this, DURATION);
    proxy.stats.cxTotal.inc();
    proxy.stats.cxActive.inc();
    const { maxDownstreamConnectionDurationMs } = proxy.config;
    if (maxDownstreamConnectionDurationMs > 0) proxy.services.timers.arm(this.#durationTimer, maxDownstreamConnectionDurationMs);
    // Until the upstream is there its bytes wait in the kernel; only its end is of interest.
    connection.start(this.#downstream, true);
    this.#connector.connect();
  }

  destroy(): void {
    this.#downstream.connection.destroy();
    this.#upstream?.connection.destroy();
  }

  onReached({ connection, peerUri, ownExpiryMs }: Reached): void {
    const info = this.#info;
    info.upstreamPeerUri = peerUri;
    this.#ownExpiryMs = ownExpiryMs;
    if (this.#proxy.accessLogs.length > 0) {
      const { localAddress, localPort } = connection.socket;
      info.upstreamLocalAddress = formatAddress(localAddress ?? "", localPort ?? 0);
    }
    this.#meter = this.#proxy.metrics?.openTcp(info, this.#connector.cluster!.config.service);
    this.#upstream = new RelayEnd(connection, this, this.#proxy.io);
    this.#touch();
    RelayEnd.join(this.#downstream, this.#upstream);
  }

  onUnreachable(cause: Cause, detail: string): void {
    this.#info.fail(cause, detail);
    // The failed connection is reported, too: it was asked for.
    this.#meter = this.#proxy.metrics?.openTcp(this.#info, this.#connector.cluster?.config.service);
    this.#downstream.connection.destroy(true);
  }

  onRelayed(from: RelayEnd, bytes: number): void {
    const { stats } = this.#proxy;
    const upstreamStats = this.#connector.cluster!.stats;
    if (from === this.#downstream) {
      this.#info.bytesReceived += bytes;
      stats.rxBytes.add(bytes);
      upstreamStats.cxTxBytes.add(bytes);
      this.#meter?.add(bytes, 0);
    } else {
      this.#info.bytesSent += bytes;
      stats.txBytes.add(bytes);
      upstreamStats.cxRxBytes.add(bytes);
      this.#meter?.add(0, bytes);
    }
    this.#touch();
  }

  onPaused(from: RelayEnd): void {
    if (from === this.#downstream) this.#proxy.stats.pausedReading.inc();
    else this.#connector.cluster!.stats.cxPausedReading.inc();
  }

  onResumed(from: RelayEnd): void {
    if (from === this.#downstream) this.#proxy.stats.resumedReading.inc();
    else this.#connector.cluster!.stats.cxResumedReading.inc();
  }

  onEndClosed(end: RelayEnd, error: NodeJS.ErrnoException | undefined): void {
    const isDownstream = end === this.#downstream;
    if (!isDownstream) this.#connector.closed();
    const other = isDownstream ? this.#upstream : this.#downstream;
    if (other === undefined) {
      this.#connector.cancel();
      this.#info.fail(Causes.downstreamDisconnect, "client closed the connection before the upstream was reached");
      return this.#finish();
    }
    if (other.isClosed) return this.#finish();
    this.#noteError(isDownstream, error);
    // The peer refused our certificate after its handshake, or closes at once for another reason that only it knows.
    const ownExpiryMs = isDownstream || this.#info.bytesSent > 0 ? undefined : this.#ownExpiryMs;
    if (ownExpiryMs !== undefined)
      this.#info.fail(Causes.ownCertificateExpired, `own certificate expired at ${new Date(ownExpiryMs).toISOString()}`);
    // Both halves ended in order: the other side sends what it still has. Anything else ends it at once.
    if (!end.hasEnded || this.#info.cause !== undefined) other.connection.destroy(error !== undefined || ownExpiryMs !== undefined);
  }

  #noteError(isDownstream: boolean, error: NodeJS.ErrnoException | undefined): void {
    if (error === undefined) return;
    const { info, detail } = { info: this.#info, detail: error.code ?? error.message };
    if (error.code === INTERNAL_ERROR) info.fail(Causes.internalErrorMidway, error.message);
    else info.fail(isDownstream ? Causes.downstreamDisconnect : Causes.upstreamClosedMidway, detail);
  }

  onTimer(kind: number): void {
    const { stats, config } = this.#proxy;
    if (kind === IDLE) {
      stats.idleTimeout.inc();
      this.#info.fail(Causes.relayIdleMidway, `no byte for ${config.idleTimeoutMs} ms`);
    } else {
      stats.maxDownstreamConnectionDuration.inc();
      this.#info.fail(Causes.relayDurationMidway, `open for ${config.maxDownstreamConnectionDurationMs} ms`);
    }
    this.destroy();
  }

  #touch(): void {
    const { idleTimeoutMs } = this.#proxy.config;
    if (idleTimeoutMs > 0) this.#proxy.services.timers.arm(this.#idleTimer, idleTimeoutMs);
  }

  #finish(): void {
    const { services, stats, accessLogs } = this.#proxy;
    services.timers.disarm(this.#idleTimer);
    services.timers.disarm(this.#durationTimer);
    stats.cxActive.dec();
    this.#info.endedAt = performance.now();
    this.#meter?.closed(this.#info.cause);
    for (const log of accessLogs) log(this.#info);
    services.specimens.keep(this);
    this.#onClosed();
  }
}
