// An HTTP connection manager at run time: one per filter chain, shared by its connections. Holds the current routes and
// what every stream reports to when it ends.
import type { HttpConnectionManagerConfig } from "../config/listener-config.ts";
import type { Upgrades } from "../config/upgrades.ts";
import type { HeadLimits } from "../http/http1/head-parser.ts";
import type { Http1ServerOptions } from "../http/http1/server-connection.ts";
import { Http2Stats } from "../http/http2/http2-stats.ts";
import type { Http2ServerOptions } from "../http/http2/server-connection.ts";
import { impliedGrpcStatus } from "../http/grpc/status.ts";
import { ConstantHeader, HeaderField } from "../http/header-field.ts";
import { HeaderId } from "../http/header-id.ts";
import type { ResponseHead } from "../http/stream.ts";
import type { RouterContext } from "../router/router-context.ts";
import type { RouteTable } from "../router/route-table.ts";
import type { Specimens } from "../transport/specimens.ts";
import type { AccessLogger } from "../telemetry/access-log/access-logs.ts";
import type { IstioMetrics } from "../telemetry/istio-metrics.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { Timers } from "../transport/timers.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { ClusterManager } from "../upstream/cluster-manager.ts";
import { HttpStats } from "./http-stats.ts";
import { appendVia, RequestEdits } from "./request-edits.ts";
import type { StatsStore } from "../telemetry/stats-store.ts";

/** What connection managers and TCP proxies of all listeners share. */
export interface ListenerServices {
  readonly clusters: ClusterManager;
  readonly timers: Timers;
  readonly specimens: Specimens;
  readonly random: () => number;
  readonly stats: StatsStore;
  /** The current table of a named route configuration; undefined before it has come. */
  routeTable(name: string): RouteTable | undefined;
  metrics(reporter: "source" | "destination"): IstioMetrics;
  accessLogger(config: HttpConnectionManagerConfig["accessLogs"][number]): AccessLogger;
}

export class ConnectionManager implements RouterContext {
  readonly config: HttpConnectionManagerConfig;
  readonly clusters: ClusterManager;
  readonly timers: Timers;
  readonly specimens: Specimens;
  readonly random: () => number;
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  readonly maxRequestBytes: number;
  readonly bufferLimitBytes: number;
  readonly suppressEnvoyHeaders: boolean;
  readonly respectExpectedTimeout: boolean;
  readonly upgrades: Upgrades;
  readonly isInbound: boolean;
  readonly stats: HttpStats;
  readonly edits: RequestEdits;
  readonly http1Options: Http1ServerOptions;
  readonly http2Options: Http2ServerOptions;
  readonly meshOptions: Http2ServerOptions;
  readonly #server: ConstantHeader;
  readonly #services: ListenerServices;
  readonly #inlineTable: RouteTable | undefined;
  readonly #metrics: IstioMetrics | undefined;
  readonly #accessLogs: readonly AccessLogger[];
  #draining = false;

  constructor(config: HttpConnectionManagerConfig, services: ListenerServices, inlineTable: RouteTable | undefined, scheme: string) {
    this.config = config;
    this.clusters = services.clusters;
    this.timers = services.timers;
    this.specimens = services.specimens;
    this.random = services.random;
    this.streamIdleTimeoutMs = config.streamIdleTimeoutMs;
    this.requestTimeoutMs = config.requestTimeoutMs;
    this.maxStreamDurationMs = config.maxStreamDurationMs;
    this.maxRequestBytes = config.filters.length === 0 ? 0 : Math.min(...config.filters.map((each) => each.maxRequestBytes));
    this.bufferLimitBytes = config.bufferLimitBytes;
    this.suppressEnvoyHeaders = config.router.suppressEnvoyHeaders;
    this.respectExpectedTimeout = config.router.respectExpectedTimeout;
    this.upgrades = config.upgrades;
    this.isInbound = config.reporter === "destination";
    this.stats = new HttpStats(services.stats, config.statPrefix);
    this.edits = new RequestEdits(config);
    this.#server = ConstantHeader.known(HeaderId["server"], config.serverName);
    this.#services = services;
    this.#inlineTable = inlineTable;
    this.#metrics = config.reporter === undefined ? undefined : services.metrics(config.reporter);
    this.#accessLogs = config.accessLogs.map((each) => services.accessLogger(each));
    const limits: HeadLimits = { maxBytes: config.maxRequestHeadersKb * 1024, maxHeaders: config.maxRequestHeaders };
    const { delayedCloseTimeoutMs } = config;
    this.http1Options = { ...config.http1, scheme, limits, delayedCloseTimeoutMs };
    const http2Stats = services.stats.plainScope("http2");
    const stats = new Http2Stats((name) => http2Stats.counter(name));
    this.http2Options = {
      config: config.http2,
      stats,
      limits,
      isMesh: false,
      delayedCloseTimeoutMs,
      drainTimeoutMs: config.drainTimeoutMs,
      streamIdleTimeoutMs: config.streamIdleTimeoutMs,
    };
    this.meshOptions = { ...this.http2Options, isMesh: true, config: { ...config.http2, allowConnect: true } };
  }

  /** The routes as they are now. */
  routeTable(): RouteTable | undefined {
    return this.#inlineTable ?? (this.config.routes.kind === "rds" ? this.#services.routeTable(this.config.routes.name) : undefined);
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  startDraining(): void {
    this.#draining = true;
  }

  finishResponse(head: ResponseHead, info: StreamInfo): void {
    const { headers } = head;
    // Only a sidecar may say whose fault a failure was; one that is no mesh peer is an application.
    if (info.viaUpstream && info.upstreamPeerUri === "" && headers.has(HeaderId["x-mesh-error"])) headers.remove(HeaderId["x-mesh-error"]);
    const { serverHeader, via } = this.config;
    if (serverHeader === "overwrite" || (serverHeader === "append_if_absent" && !headers.has(HeaderId["server"])))
      headers.setConstant(this.#server);
    if (!headers.has(HeaderId["date"])) headers.appendField(dateHeader());
    if (via !== "") appendVia(headers, via);
    if (this.config.alwaysSetRequestIdInResponse) {
      const requestId = info.requestHeaders?.getByName("x-request-id");
      if (requestId !== undefined) headers.set(HeaderId["x-request-id"], requestId);
    }
  }

  onTunnelOpened(info: StreamInfo): void {
    info.isTunnel = true;
    this.stats.upgradesTotal.inc();
    this.stats.upgradesActive.inc();
  }

  onMessages(info: StreamInfo, cluster: Cluster | undefined): void {
    this.#metrics?.recordMessages(info, cluster?.config.service);
  }

  onStreamEnd(info: StreamInfo, cluster: Cluster | undefined): void {
    const { stats } = this;
    if (info.isGrpc) info.grpcStatus ??= impliedGrpcStatus(info.responseCode, info.cause);
    stats.rqActive.dec();
    if (info.isTunnel) stats.upgradesActive.dec();
    stats.countCompleted(info.responseCode);
    stats.rqTime.record(info.endedAt - info.startedAt);
    if (info.cause !== undefined) stats.countCause(info.cause);
    this.#metrics?.record(info, cluster?.config.service);
    for (const log of this.#accessLogs) log(info);
  }
}

let date = HeaderField.known(HeaderId["date"], "");
let dateSecond = 0;

/** RFC 9110 §6.6.1's date, made once a second. */
function dateHeader(): HeaderField {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = HeaderField.known(HeaderId["date"], new Date(second * 1000).toUTCString());
  }
  return date;
}
