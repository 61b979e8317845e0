// What the router does for gRPC calls only: counts the messages of both directions, and keeps the deadline that the
// client has set, as far as the route says so.
import type { RouteAction } from "../config/route-config.ts";
import { MessageCounter } from "../http/grpc/message-counter.ts";
import { formatGrpcTimeout, parseGrpcTimeout } from "../http/grpc/timeout.ts";
import { HeaderId } from "../http/header-id.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { TimerEntry, type TimerOwner } from "../transport/timers.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { RouterContext } from "./router-context.ts";
import type { StreamTimers } from "./stream-timers.ts";

// As often as Istio reports what passes over a connection.
const REPORT_MS = 5000;

export class GrpcCall implements TimerOwner {
  readonly #context: Pick<RouterContext, "timers" | "onMessages">;
  readonly #info: StreamInfo;
  #cluster: Cluster | undefined = undefined;
  readonly #requests = new MessageCounter();
  readonly #responses = new MessageCounter();
  /** How many of them the metrics know. */
  #reportedRequests = 0;
  #reportedResponses = 0;
  #report: TimerEntry | undefined = undefined;
  /** `grpc-timeout` as it came, ms; 0 where there is none. */
  #clientMs = 0;
  /** What the upstream may take in all, ms; 0 without limit. */
  #limitMs = 0;
  /** The limit counts from the end of the request, not from its head. */
  #countsFromEnd = false;
  #perTryMs = 0;

  constructor(context: Pick<RouterContext, "timers" | "onMessages">, info: StreamInfo) {
    this.#context = context;
    this.#info = info;
  }

  /** Sets the timers to what the route and the client's deadline make together (Envoy's rules, which differ by `replaces`). */
  begin(headers: HeaderList, action: RouteAction & { kind: "route" }, timers: StreamTimers, cluster: Cluster): void {
    this.#cluster = cluster;
    const text = headers.get(HeaderId["grpc-timeout"]);
    const clientMs = text === undefined ? undefined : parseGrpcTimeout(text);
    this.#clientMs = clientMs ?? 0;
    const deadline = action.grpcDeadline;
    if (deadline === undefined) {
      if (this.#clientMs > timers.durationMs) this.#limitMs = timers.durationMs;
    } else if (deadline.replaces === "duration") {
      if (clientMs === undefined) return;
      const cappedMs = deadline.maxMs > 0 ? Math.min(clientMs, deadline.maxMs) : clientMs;
      timers.durationMs = 0;
      // Nothing left means at once, which is not the same as no limit.
      this.#limitMs = timers.deadlineMs = Math.max(1, cappedMs - deadline.offsetMs);
    } else {
      const ownMs = this.#clientMs > deadline.offsetMs ? this.#clientMs - deadline.offsetMs : this.#clientMs;
      this.#countsFromEnd = deadline.maxMs > 0 && (ownMs === 0 || ownMs > deadline.maxMs);
      this.#limitMs = this.#countsFromEnd ? deadline.maxMs : ownMs;
      this.#perTryMs = timers.perTryMs;
      // A limit of the route's runs as its timeout does; the client's own began when it sent the head.
      timers.routeMs = this.#countsFromEnd ? this.#limitMs : 0;
      timers.deadlineMs = this.#countsFromEnd ? 0 : this.#limitMs;
    }
  }

  /** Tells the host of the next try how long it has: what is left of the limit, and no longer than a try may take. */
  forwardDeadline(headers: HeaderList, now: number): void {
    const leftMs = this.#leftMs(now);
    const allowedMs = this.#perTryMs > 0 && (leftMs === 0 || this.#perTryMs < leftMs) ? this.#perTryMs : leftMs;
    // Untouched where it says so already, in its own unit.
    if (allowedMs > 0 && allowedMs !== this.#clientMs) headers.set(HeaderId["grpc-timeout"], formatGrpcTimeout(allowedMs));
  }

  #leftMs(now: number): number {
    if (this.#limitMs === 0) return 0;
    const { startedAt, requestEndedAt } = this.#info;
    const from = this.#countsFromEnd ? requestEndedAt : startedAt;
    return from < 0 ? this.#limitMs : Math.max(1, Math.floor(this.#limitMs - (now - from)));
  }

  onRequestData(chunk: Uint8Array): void {
    this.#requests.add(chunk);
    if (this.#requests.count > 1) this.#reportLater();
  }

  onResponseData(chunk: Uint8Array): void {
    this.#responses.add(chunk);
    if (this.#responses.count > 1) this.#reportLater();
  }

  /** A call of many messages may go on for days. */
  #reportLater(): void {
    const entry = (this.#report ??= new TimerEntry(this, 0));
    if (!entry.isArmed) this.#context.timers.arm(entry, REPORT_MS);
  }

  onTimer(): void {
    this.#handOver();
    this.#context.onMessages(this.#info, this.#cluster);
  }

  /** Notes the messages that were not reported yet. */
  end(): void {
    if (this.#report !== undefined) this.#context.timers.disarm(this.#report);
    this.#handOver();
  }

  #handOver(): void {
    this.#info.requestMessages = this.#requests.count - this.#reportedRequests;
    this.#info.responseMessages = this.#responses.count - this.#reportedResponses;
    this.#reportedRequests = this.#requests.count;
    this.#reportedResponses = this.#responses.count;
  }
}
