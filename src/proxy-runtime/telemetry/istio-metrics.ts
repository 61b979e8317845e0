// Istio's standard metrics, recorded once when a request ends, and while a TCP connection lives. What is constant for a
// peer and for a service is found by small keys; a label set is spelled out once, when it is met for the first time.
import type { ConnectionInfo, StreamInfo } from "./stream-info.ts";
import { httpSeries, runningMessages, tcpSeries } from "./istio-labels.ts";
import type { HttpSeries, MessageSeries, Reporter, ServiceFacts, TcpSeries } from "./istio-labels.ts";
import { PeerNode, ServiceNode } from "./istio-peers.ts";
import type { Counter, StatsStore } from "./stats-store.ts";
import { UNKNOWN_WORKLOAD } from "./workload-facts.ts";
import type { WorkloadFacts } from "./workload-facts.ts";

// For each of the two reporters. The histograms of a label set touch 12 to 16 KB: 32 MB in the worst case.
const MAX_LABEL_SETS = 1000;
// The Host header of requests to unknown places becomes a label; it must not use up all the label sets.
const MAX_UNKNOWN_HOSTS = 200;
const NOT_GRPC = 31;

export interface IstioMetricsOptions {
  /** Who has an address, where the certificate doesn't tell names: see workloadLookup. */
  readonly lookupWorkload?: (ip: string) => WorkloadFacts | undefined;
  /** Default 1000. */
  readonly maxLabelSets?: number;
}

/** Metrics of one reporter: `source` for outbound listeners, `destination` for inbound ones. */
export class IstioMetrics {
  readonly #store: StatsStore;
  readonly #reporter: Reporter;
  readonly #own: WorkloadFacts;
  readonly #lookup: (ip: string) => WorkloadFacts | undefined;
  readonly #maxLabelSets: number;
  readonly #overflow: Counter;
  readonly #nowhere: ServiceNode;
  readonly #flags = new Map<string, number>();
  /** By the peer's principal, then by what names its workload: the endpoint's metadata or, of a downstream, its address. */
  readonly #peers = new Map<string, Map<string, PeerNode>>();
  readonly #connections = new WeakMap<ConnectionInfo, PeerNode>();
  /** By cluster name and Host header: keys of services that no cluster describes. */
  readonly #hostKeys = new Map<string, Map<string, string>>();
  #hosts = 0;
  #labelSets = 0;

  constructor(store: StatsStore, reporter: Reporter, own: WorkloadFacts, options: IstioMetricsOptions = {}) {
    this.#store = store;
    this.#reporter = reporter;
    this.#own = own;
    this.#lookup = options.lookupWorkload ?? (() => undefined);
    this.#maxLabelSets = options.maxLabelSets ?? MAX_LABEL_SETS;
    this.#overflow = store.counter(`istio_metrics.${reporter}.overflow`, "envoy_istio_metrics_overflow", [["reporter", reporter]]);
    const nobody = reporter === "source" ? PeerNode.upstream(own, "", "") : new PeerNode(UNKNOWN_WORKLOAD, own, "unknown");
    this.#nowhere = new ServiceNode(reporter, nobody, undefined, "", "");
  }

  /**
   * Counts one finished request. Past the limit of label sets it is counted under one that says `unknown`, and
   * `istio_metrics.<reporter>.overflow` rises.
   *
   * @param info complete: endedAt, responseCode and byte counts are set.
   * @param service ClusterConfig.service of the chosen cluster; undefined where it has none or none was chosen.
   */
  record(info: StreamInfo, service: ServiceFacts | undefined): void {
    const series = this.#httpSeries(this.#node(info, service), info);
    series.requests.inc();
    series.duration.record(info.endedAt - info.startedAt);
    series.requestBytes.record(info.bytesReceived + info.requestHeadBytes);
    series.responseBytes.record(info.bytesSent + info.responseHeadBytes);
    if (series.messages !== undefined) addMessages(series.messages, info);
  }

  /** Counts messages of a gRPC call that goes on; those that come later are counted when they are reported, or at its end. */
  recordMessages(info: StreamInfo, service: ServiceFacts | undefined): void {
    const node = this.#node(info, service);
    let series = node.messages.get(info.responseCode);
    if (series === undefined) {
      const holder = this.#spend() ? node : this.#nowhere;
      series = runningMessages(this.#store, holder.labels, holder === node ? String(info.responseCode) : "unknown", holder.security);
      node.messages.set(info.responseCode, series);
    }
    addMessages(series, info);
  }

  /** Counts an opened TCP connection, once its upstream is known or has failed; bytes and its end go to the meter. */
  openTcp(info: StreamInfo, service: ServiceFacts | undefined): TcpMeter {
    const node = this.#node(info, service);
    const series = this.#tcpSeries(node, "-");
    series.opened.inc();
    return new TcpMeter(series, (flag) => this.#tcpSeries(node, flag));
  }

  #httpSeries(node: ServiceNode, info: StreamInfo): HttpSeries {
    const flag = info.flags;
    const grpc = info.grpcStatus === undefined ? NOT_GRPC : info.grpcStatus & 31;
    const key = (this.#flagNumber(flag) * 32 + grpc) * 1024 + (info.responseCode & 1023);
    const known = node.http.get(key);
    if (known !== undefined) return known;
    const room = this.#spend();
    // Without room, all outcomes share the key 0 of the place that stands for the rest.
    const holder = room ? node : this.#nowhere;
    const holderKey = room ? key : 0;
    let series = holder.http.get(holderKey);
    if (series === undefined) {
      const security = holder.security;
      const outcome = room
        ? { responseCode: String(info.responseCode), grpcStatus: info.grpcStatus, flag, security }
        : { responseCode: "unknown", grpcStatus: undefined, flag: "-", security };
      series = httpSeries(this.#store, holder.labels, outcome);
      holder.http.set(holderKey, series);
    }
    return series;
  }

  #tcpSeries(node: ServiceNode, flag: string): TcpSeries {
    const known = node.tcp.get(flag);
    if (known !== undefined) return known;
    const holder = this.#spend() ? node : this.#nowhere;
    const holderFlag = holder === node ? flag : "-";
    let series = holder.tcp.get(holderFlag);
    if (series === undefined) {
      series = tcpSeries(this.#store, holder.labels, holderFlag, holder.security);
      holder.tcp.set(holderFlag, series);
    }
    return series;
  }

  #spend(): boolean {
    if (this.#labelSets < this.#maxLabelSets) {
      this.#labelSets++;
      return true;
    }
    this.#overflow.inc();
    return false;
  }

  #flagNumber(flag: string): number {
    let number = this.#flags.get(flag);
    if (number === undefined) {
      number = this.#flags.size + 1;
      this.#flags.set(flag, number);
    }
    return number;
  }

  #node(info: StreamInfo, service: ServiceFacts | undefined): ServiceNode {
    const peer = this.#reporter === "source" ? this.#upstreamPeer(info) : this.#downstreamPeer(info.connection);
    const host = service === undefined && this.#reporter === "source" ? info.authority : "";
    const key = host === "" ? info.clusterName : this.#hostKey(info.clusterName, host);
    const known = peer.services.get(key);
    if (known !== undefined && (service === undefined || known.isOf(service))) return known;
    // Nodes are made only while label sets are left, so the maps stay as bounded as these are.
    if (this.#labelSets >= this.#maxLabelSets) return this.#nowhere;
    const node = new ServiceNode(this.#reporter, peer, service, info.clusterName, key === info.clusterName ? "" : host);
    peer.services.set(key, node);
    return node;
  }

  #upstreamPeer(info: StreamInfo): PeerNode {
    const workload = info.upstreamWorkload ?? "";
    return (
      this.#peers.get(info.upstreamPeerUri)?.get(workload) ??
      this.#keep(info.upstreamPeerUri, workload, PeerNode.upstream(this.#own, info.upstreamPeerUri, workload))
    );
  }

  #downstreamPeer(connection: ConnectionInfo): PeerNode {
    const known = this.#connections.get(connection);
    if (known !== undefined) return known;
    const uri = connection.peer === undefined ? "" : connection.peer.uri;
    const ip = connection.remoteAddress.slice(0, connection.remoteAddress.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
    const found = this.#lookup(ip);
    const key = `${connection.peer === undefined ? "plain" : "mtls"} ${found === undefined ? "" : ip}`;
    const peer = this.#peers.get(uri)?.get(key) ?? this.#keep(uri, key, PeerNode.downstream(this.#own, connection, found));
    this.#connections.set(connection, peer);
    return peer;
  }

  #keep(principal: string, key: string, peer: PeerNode): PeerNode {
    if (this.#labelSets >= this.#maxLabelSets) return peer;
    let byKey = this.#peers.get(principal);
    if (byKey === undefined) this.#peers.set(principal, (byKey = new Map<string, PeerNode>()));
    byKey.set(key, peer);
    return peer;
  }

  #hostKey(clusterName: string, host: string): string {
    const keys = this.#hostKeys.get(clusterName);
    const known = keys?.get(host);
    if (known !== undefined) return known;
    if (this.#hosts >= MAX_UNKNOWN_HOSTS) return clusterName;
    this.#hosts++;
    const key = `${clusterName}/${host}`;
    if (keys === undefined) this.#hostKeys.set(clusterName, new Map([[host, key]]));
    else keys.set(host, key);
    return key;
  }
}

function addMessages(series: MessageSeries, info: StreamInfo): void {
  series.requests.add(info.requestMessages);
  series.responses.add(info.responseMessages);
}

/** One TCP connection's share of the metrics. Bytes may be added as often as is convenient; Istio does so every 5 s. */
export class TcpMeter {
  readonly #open: TcpSeries;
  readonly #withFlag: (flag: string) => TcpSeries;

  constructor(open: TcpSeries, withFlag: (flag: string) => TcpSeries) {
    this.#open = open;
    this.#withFlag = withFlag;
  }

  /** Bytes since the last call, from the client and to it. */
  add(received: number, sent: number): void {
    this.#open.receivedBytes.add(received);
    this.#open.sentBytes.add(sent);
  }

  /** Call once, when both directions have ended. */
  closed(cause: StreamInfo["cause"]): void {
    this.#withFlag(cause === undefined ? "-" : cause.flag).closed.inc();
  }
}
