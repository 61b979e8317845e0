// What a router is handed by the connection manager that it works for.
import type { ResponseHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { Timers } from "../transport/timers.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { ClusterManager } from "../upstream/cluster-manager.ts";

/** What the routers of one connection manager share. */
export interface RouterContext {
  readonly clusters: ClusterManager;
  readonly timers: Timers;
  readonly random: () => number;
  /** The upstream is this sidecar's own application. */
  readonly isInbound: boolean;
  readonly streamIdleTimeoutMs: number;
  /** For the whole request to arrive; 0 none. */
  readonly requestTimeoutMs: number;
  /** Last edits of a response head before it goes out: server, hop headers, x-mesh-error of applications. */
  finishResponse(head: ResponseHead, info: StreamInfo): void;
  /** The stream is over: log and metrics. Called once. */
  onStreamEnd(info: StreamInfo, cluster: Cluster | undefined): void;
}
