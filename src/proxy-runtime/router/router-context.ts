// What a router is handed by the connection manager that it works for.
import type { Upgrades } from "../config/upgrades.ts";
import type { ResponseHead } from "../http/stream.ts";
import type { Specimens } from "../transport/specimens.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { Timers } from "../transport/timers.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { ClusterManager } from "../upstream/cluster-manager.ts";

/** What the routers of one connection manager share. */
export interface RouterContext {
  readonly clusters: ClusterManager;
  readonly timers: Timers;
  readonly specimens: Specimens;
  readonly random: () => number;
  /** The upstream is this sidecar's own application. */
  readonly isInbound: boolean;
  readonly streamIdleTimeoutMs: number;
  /** For the whole request to arrive; 0 none. */
  readonly requestTimeoutMs: number;
  /** From a request's head to the end of its response, where its route says nothing; 0 none. */
  readonly maxStreamDurationMs: number;
  /** A request goes on when it is whole, and is refused when its body is larger; 0: it goes on as it comes. */
  readonly maxRequestBytes: number;
  /** Of a request's body so much is kept for another try, where its route says nothing. */
  readonly bufferLimitBytes: number;
  /** No `x-envoy-` headers of the router's own. */
  readonly suppressEnvoyHeaders: boolean;
  /** A client's sidecar has decided how long the request may take, in x-envoy-expected-rq-timeout-ms. */
  readonly respectExpectedTimeout: boolean;
  /** Which upgrades may pass where the route says nothing. */
  readonly upgrades: Upgrades;
  /** Last edits of a response head before it goes out: server, hop headers, x-mesh-error of applications. */
  finishResponse(head: ResponseHead, info: StreamInfo): void;
  /** An upgrade was accepted; `onStreamEnd` follows, as for any stream. */
  onTunnelOpened(info: StreamInfo): void;
  /** Messages of a gRPC call that goes on, as `info` has them. */
  onMessages(info: StreamInfo, cluster: Cluster | undefined): void;
  /** The stream is over: log and metrics. Called once. */
  onStreamEnd(info: StreamInfo, cluster: Cluster | undefined): void;
}
