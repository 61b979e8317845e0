// The router: takes one request from its downstream stream to an upstream host and the response back; chooses route,
// cluster and host, retries, keeps time, and turns every failure into the one reply that the table gives it.
import type { RetryPolicy } from "../config/route-config.ts";
import { Causes, type Cause } from "../failure/causes.ts";
import { HeaderId } from "../http/header-id.ts";
import { HeaderList } from "../http/header-list.ts";
import { sendLocalReply } from "../http/local-reply.ts";
import type { DownstreamStream, RequestHead, RequestReceiver, ResponseHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import { TimerEntry, type TimerOwner, type Timers } from "../transport/timers.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { ClusterManager } from "../upstream/cluster-manager.ts";
import type { UpstreamHost } from "../upstream/host.ts";
import { redirectHead } from "./redirect.ts";
import { ReplayBuffer } from "./replay-buffer.ts";
import { RetryState } from "./retry-state.ts";
import { rewriteRequest } from "./rewrite.ts";
import { chooseCluster, type ClusterChoice, type CompiledRoute, type RouteTable } from "./route-table.ts";
import { UpstreamAttempt, type AttemptOwner } from "./upstream-attempt.ts";

/** What the routers of one connection manager share. */
export interface RouterContext {
  readonly clusters: ClusterManager;
  readonly timers: Timers;
  readonly random: () => number;
  readonly streamIdleTimeoutMs: number;
  /** Last edits of a response head before it goes out: server, hop headers, x-mesh-error of applications. */
  finishResponse(head: ResponseHead, info: StreamInfo): void;
  /** The stream is over: log and metrics. Called once. */
  onStreamEnd(info: StreamInfo, cluster: Cluster | undefined): void;
}

const ROUTE_TIMEOUT = 0;
const IDLE_TIMEOUT = 1;
const TRY_TIMEOUT = 2;
const BACKOFF = 3;

export class Router implements RequestReceiver, AttemptOwner, TimerOwner {
  readonly #context: RouterContext;
  readonly #downstream: DownstreamStream;
  readonly #head: RequestHead;
  readonly #info: StreamInfo;
  readonly #originalDst: SocketAddress | undefined;
  #route: CompiledRoute | undefined = undefined;
  #choice: ClusterChoice | undefined = undefined;
  #cluster: Cluster | undefined = undefined;
  #attempt: UpstreamAttempt | undefined = undefined;
  #retry: RetryState | undefined = undefined;
  #policy: RetryPolicy | undefined = undefined;
  #tried: UpstreamHost[] = [];
  #replay: ReplayBuffer | undefined = undefined;
  #requestEnded = false;
  #requestTrailers: HeaderList | undefined = undefined;
  #requestPaused = false;
  #responseStarted = false;
  #over = false;
  #timeoutMs = 0;
  #idleTimeoutMs = 0;
  #routeTimer: TimerEntry | undefined = undefined;
  #idleTimer: TimerEntry | undefined = undefined;
  #tryTimer: TimerEntry | undefined = undefined;
  #backoffTimer: TimerEntry | undefined = undefined;

  constructor(context: RouterContext, downstream: DownstreamStream, head: RequestHead, info: StreamInfo, originalDst: SocketAddress | undefined) {
    this.#context = context;
    this.#downstream = downstream;
    this.#head = head;
    this.#info = info;
    this.#originalDst = originalDst;
  }

  /** Routes the request by the table as it is now; a later table does not touch this stream. */
  start(table: RouteTable | undefined, end: boolean): void {
    const route = table?.match(this.#head);
    if (route === undefined) return this.#fail(Causes.noRoute, table === undefined ? "routes have not arrived" : `no route for ${this.#head.authority}`);
    this.#route = route;
    this.#info.routeName = route.entry.name;
    const { action } = route.entry;
    if (action.kind === "redirect") return this.#answer(redirectHead(action, this.#head, route.entry.match.path), undefined);
    if (action.kind === "direct_response") return this.#answer(directHead(action.status, action.body), action.body);

    const choice = chooseCluster(route, route.choices.length > 1 ? this.#context.random() : 0);
    const cluster = this.#context.clusters.get(choice.cluster);
    this.#info.clusterName = choice.cluster;
    if (cluster === undefined) return this.#fail(Causes.noCluster, `cluster ${choice.cluster} is unknown`);
    this.#choice = choice;
    this.#cluster = cluster;
    rewriteRequest(this.#head, action, route.entry.match.path);
    if (!choice.requestEdits.isEmpty) choice.requestEdits.apply(this.#head.headers, this.#info);
    this.#policy = route.retry;
    this.#timeoutMs = action.timeoutMs;
    this.#idleTimeoutMs = action.idleTimeoutMs ?? this.#context.streamIdleTimeoutMs;
    if (this.#idleTimeoutMs > 0) this.#touch();
    if (end) this.#onRequestEnd();
    else this.#replay = new ReplayBuffer();
    this.#try();
  }

  #try(): void {
    const cluster = this.#cluster!;
    const policy = this.#policy;
    const host = cluster.pick(this.#originalDst, this.#tried, this.#tried.length > 0 ? Math.max(1, policy?.avoidPreviousHostsAttempts ?? 1) : 1);
    if (host === undefined) return this.#fail(Causes.noHealthyUpstream, `cluster ${cluster.name} has no healthy host`);
    if (!cluster.breaker.admitsRequest()) {
      cluster.stats.rqPendingOverflow.inc();
      return this.#fail(Causes.upstreamOverflow, `cluster ${cluster.name} has its most requests`);
    }
    this.#info.attempts += 1;
    this.#info.upstreamHost = host.address;
    this.#info.upstreamWorkload = host.endpoint.workload;
    if (this.#route!.virtualHost.includeAttemptCount) this.#head.headers.set(HeaderId["x-envoy-attempt-count"], String(this.#info.attempts));
    const replay = this.#replay;
    const nothingToSend = this.#requestEnded && (replay === undefined || replay.chunks.length === 0) && this.#requestTrailers === undefined;
    const attempt = new UpstreamAttempt(this, cluster, host, this.#head, nothingToSend, performance.now());
    this.#attempt = attempt;
    attempt.start();
    // Until there is a connection the body stays with the client.
    if (attempt.stream === undefined && this.#attempt === attempt && !this.#requestEnded) this.#pauseRequest();
  }

  onAttemptReady(attempt: UpstreamAttempt): void {
    this.#attempt = attempt;
    const stream = attempt.stream!;
    const info = this.#info;
    info.upstreamRequestSentAt = performance.now();
    info.upstreamProtocol = stream.protocol;
    info.upstreamPeerUri = stream.peerUri;
    if (this.#replay !== undefined) {
      const { chunks } = this.#replay;
      const endWithLast = this.#requestEnded && this.#requestTrailers === undefined;
      chunks.forEach((chunk, index) => stream.sendData(chunk, endWithLast && index === chunks.length - 1));
      if (this.#requestTrailers !== undefined) stream.sendTrailers(this.#requestTrailers);
    }
    const perTry = this.#policy?.perTryTimeoutMs ?? 0;
    if (perTry > 0) this.#context.timers.arm((this.#tryTimer ??= new TimerEntry(this, TRY_TIMEOUT)), perTry);
    this.#resumeRequest();
  }

  onRequestData(chunk: Uint8Array, end: boolean): void {
    this.#info.bytesReceived += chunk.length;
    if (this.#idleTimeoutMs > 0) this.#touch();
    if (end) this.#onRequestEnd();
    if (!this.#responseStarted) this.#replay?.append(chunk);
    const stream = this.#attempt?.stream;
    if (stream === undefined) return;
    if (!stream.sendData(chunk, end)) this.#pauseRequest();
  }

  onRequestTrailers(trailers: HeaderList): void {
    this.#requestTrailers = trailers;
    this.#onRequestEnd();
    this.#attempt?.stream?.sendTrailers(trailers);
  }

  #onRequestEnd(): void {
    this.#requestEnded = true;
    this.#info.requestEndedAt = performance.now();
    // Envoy: the route's time runs from the end of the request.
    if (this.#timeoutMs > 0 && !this.#over) this.#context.timers.arm((this.#routeTimer ??= new TimerEntry(this, ROUTE_TIMEOUT)), this.#timeoutMs);
  }

  onDownstreamReset(cause: Cause, detail: string): void {
    if (this.#over) return;
    this.#attempt?.cancel();
    this.#setCause(cause, detail);
    this.#end();
  }

  onDownstreamWritable(): void {
    this.#attempt?.stream?.resumeResponse();
  }

  onAttemptWritable(): void {
    this.#resumeRequest();
  }

  onAttemptInformational(head: ResponseHead): void {
    if (!this.#responseStarted) this.#downstream.sendInformational(head);
  }

  onAttemptHeaders(attempt: UpstreamAttempt, head: ResponseHead, end: boolean): void {
    if (this.#policy !== undefined && this.#retryStatus(attempt, head.status)) return;
    const info = this.#info;
    const cluster = attempt.cluster;
    if (this.#tryTimer !== undefined) this.#context.timers.disarm(this.#tryTimer);
    this.#responseStarted = true;
    this.#replay = undefined;
    info.upstreamResponseStartedAt = info.responseStartedAt = performance.now();
    info.viaUpstream = true;
    info.responseHeadBytes = head.headBytes;
    cluster.stats.countResponse(head.status);
    if (this.#retry !== undefined && info.attempts > 1 && head.status < 500) cluster.stats.rqRetrySuccess.inc();
    const since = info.requestEndedAt < 0 ? info.startedAt : info.requestEndedAt;
    head.headers.set(HeaderId["x-envoy-upstream-service-time"], String(Math.max(0, Math.round(info.upstreamResponseStartedAt - since))));
    this.#sendResponse(head, end, this.#choice!.responseEdits);
    if (end) this.#end();
  }

  #sendResponse(head: ResponseHead, end: boolean, edits: ClusterChoice["responseEdits"]): void {
    const info = this.#info;
    if (!edits.isEmpty) edits.apply(head.headers, info);
    this.#context.finishResponse(head, info);
    info.responseCode = head.status;
    info.responseHeaders = head.headers.entries;
    const grpcStatus = head.headers.get(HeaderId["grpc-status"]);
    if (grpcStatus !== undefined) info.grpcStatus = Number(grpcStatus);
    this.#downstream.sendHeaders(head, end);
  }

  onAttemptData(chunk: Uint8Array, end: boolean): void {
    this.#info.bytesSent += chunk.length;
    if (this.#idleTimeoutMs > 0) this.#touch();
    // Over before the last send: that send may start the next request of the same connection.
    if (end) this.#end();
    if (!this.#downstream.sendData(chunk, end) && !end) this.#attempt?.stream?.pauseResponse();
  }

  onAttemptTrailers(trailers: HeaderList): void {
    this.#info.responseTrailers = trailers.entries;
    const grpcStatus = trailers.get(HeaderId["grpc-status"]);
    if (grpcStatus !== undefined) this.#info.grpcStatus = Number(grpcStatus);
    this.#end();
    this.#downstream.sendTrailers(trailers);
  }

  onAttemptFailed(attempt: UpstreamAttempt, cause: Cause, detail: string): void {
    if (cause.flag === "UF") this.#info.upstreamTransportFailure = detail;
    if (this.#responseStarted) {
      this.#setCause(cause, detail);
      this.#downstream.reset(cause);
      this.#end();
      return;
    }
    this.#attempt = undefined;
    this.#tried.push(attempt.host);
    const retry = (this.#retry ??= new RetryState(this.#policy, this.#head.method));
    const canReplay = this.#replay === undefined || this.#replay.isWhole;
    if (canReplay && attempt.reused && retry.takesStaleRetry(cause)) return this.#try();
    if (canReplay && retry.takesRetryFor(cause)) return this.#retryLater(attempt.cluster, detail);
    if (retry.isExhausted) attempt.cluster.stats.rqRetryLimitExceeded.inc();
    this.#fail(cause, detail);
  }

  #retryStatus(attempt: UpstreamAttempt, status: number): boolean {
    const retry = (this.#retry ??= new RetryState(this.#policy, this.#head.method));
    if ((this.#replay !== undefined && !this.#replay.isWhole) || !retry.takesRetryForStatus(status)) return false;
    attempt.cluster.stats.countRetriedResponse(status);
    this.#attempt = undefined;
    this.#tried.push(attempt.host);
    attempt.cancel();
    this.#retryLater(attempt.cluster, `status ${status}`);
    return true;
  }

  #retryLater(cluster: Cluster, detail: string): void {
    if (!cluster.breaker.admitsRetry()) {
      cluster.stats.rqRetryOverflow.inc();
      return this.#fail(Causes.upstreamOverflow, `no retry left in cluster ${cluster.name} after ${detail}`);
    }
    if (this.#tryTimer !== undefined) this.#context.timers.disarm(this.#tryTimer);
    cluster.breaker.retries += 1;
    cluster.stats.rqRetry.inc();
    this.#backoffTimer ??= new TimerEntry(this, BACKOFF);
    this.#context.timers.arm(this.#backoffTimer, Math.round(this.#retry!.backoffMs(this.#context.random())));
  }

  onTimer(kind: number): void {
    switch (kind) {
      case BACKOFF:
        this.#cluster!.breaker.retries -= 1;
        return this.#try();
      case ROUTE_TIMEOUT:
        this.#cluster!.stats.rqTimeout.inc();
        if (this.#attempt !== undefined) this.#attempt.host.rqTimeout += 1;
        return this.#abort(Causes.upstreamTimeout, Causes.upstreamTimeoutMidway, `no response within ${this.#timeoutMs} ms`);
      case IDLE_TIMEOUT:
        return this.#abort(this.#requestEnded ? Causes.streamIdle : Causes.downstreamIdle, Causes.streamIdleMidway, `no byte for ${this.#idleTimeoutMs} ms`);
      case TRY_TIMEOUT:
        return this.#onTryTimeout();
    }
  }

  #onTryTimeout(): void {
    const attempt = this.#attempt!;
    attempt.cluster.stats.rqPerTryTimeout.inc();
    attempt.host.rqTimeout += 1;
    attempt.cancel();
    this.onAttemptFailed(attempt, Causes.perTryTimeout, `no response within ${this.#policy!.perTryTimeoutMs} ms`);
  }

  #abort(before: Cause, midway: Cause, detail: string): void {
    this.#attempt?.cancel();
    this.#attempt = undefined;
    if (!this.#responseStarted) return this.#fail(before, detail);
    this.#setCause(midway, detail);
    this.#downstream.reset(midway);
    this.#end();
  }

  #fail(cause: Cause, detail: string): void {
    if (this.#over) return;
    this.#setCause(cause, detail);
    this.#responseStarted = true;
    this.#info.responseStartedAt = performance.now();
    this.#resumeRequest();
    const head = sendLocalReply(this.#downstream, this.#head, cause, detail);
    this.#noteReply(head);
    this.#end();
  }

  #answer(head: ResponseHead, body: string | undefined): void {
    const info = this.#info;
    info.responseStartedAt = performance.now();
    this.#responseStarted = true;
    this.#sendResponse(head, body === undefined || body === "", this.#route!.responseEdits);
    if (body !== undefined && body !== "") {
      info.bytesSent = Buffer.byteLength(body);
      this.#downstream.sendData(Buffer.from(body), true);
    }
    this.#end();
  }

  #noteReply(head: ResponseHead): void {
    const info = this.#info;
    info.responseCode = head.status;
    info.responseHeaders = head.headers.entries;
    info.bytesSent = Math.max(0, head.contentLength);
    this.#cluster?.stats.countResponse(head.status);
  }

  #setCause(cause: Cause, detail: string): void {
    this.#info.cause = cause;
    this.#info.causeDetail = detail;
  }

  #pauseRequest(): void {
    if (this.#requestPaused || this.#requestEnded) return;
    this.#requestPaused = true;
    this.#downstream.pauseRequest();
  }

  #resumeRequest(): void {
    if (!this.#requestPaused) return;
    this.#requestPaused = false;
    this.#downstream.resumeRequest();
  }

  #touch(): void {
    this.#context.timers.arm((this.#idleTimer ??= new TimerEntry(this, IDLE_TIMEOUT)), this.#idleTimeoutMs);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    const { timers } = this.#context;
    if (this.#routeTimer !== undefined) timers.disarm(this.#routeTimer);
    if (this.#idleTimer !== undefined) timers.disarm(this.#idleTimer);
    if (this.#tryTimer !== undefined) timers.disarm(this.#tryTimer);
    if (this.#backoffTimer?.isArmed === true) {
      timers.disarm(this.#backoffTimer);
      this.#cluster!.breaker.retries -= 1;
    }
    this.#info.endedAt = performance.now();
    this.#context.onStreamEnd(this.#info, this.#cluster);
  }
}

function directHead(status: number, body: string): ResponseHead {
  const headers = new HeaderList();
  if (body !== "") headers.append(HeaderId["content-type"], "content-type", "text/plain");
  const length = Buffer.byteLength(body);
  headers.append(HeaderId["content-length"], "content-length", String(length));
  return { status, reason: "", headers, contentLength: length, headBytes: 0 };
}
