// The router: takes one request from its downstream stream to an upstream host and the response back; chooses route,
// cluster and host, retries, keeps time, and turns every failure into the one reply that the table gives it.
import { performance } from "node:perf_hooks";
import type { RetryPolicy } from "../config/route-config.ts";
import { Causes, type Cause, type Vantage } from "../failure/causes.ts";
import { HeaderId } from "../http/header-id.ts";
import type { HeaderList } from "../http/header-list.ts";
import { sendLocalReply } from "../http/local-reply.ts";
import type { DownstreamStream, RequestHead, RequestReceiver, ResponseHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import type { TimerOwner } from "../transport/timers.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { UpstreamHost } from "../upstream/host.ts";
import { directHead, redirectHead } from "./direct-answer.ts";
import type { RouterContext } from "./router-context.ts";
import { RequestBody } from "./request-body.ts";
import { RetryState } from "./retry-state.ts";
import { rewriteRequest } from "./rewrite.ts";
import { chooseCluster, type ClusterChoice, type CompiledRoute, type RouteTable } from "./route-table.ts";
import { StreamTimers, Timer } from "./stream-timers.ts";
import { UpstreamAttempt, type AttemptOwner } from "./upstream-attempt.ts";

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
  readonly #body: RequestBody;
  #responseStarted = false;
  #over = false;
  #isTrying = false;
  #timeoutMs = 0;
  #idleTimeoutMs = 0;
  readonly #timers: StreamTimers;
  /** When the present try began, ms of performance.now(). */
  #triedAt: number;

  constructor(
    context: RouterContext,
    downstream: DownstreamStream,
    head: RequestHead,
    info: StreamInfo,
    originalDst: SocketAddress | undefined,
  ) {
    this.#context = context;
    this.#downstream = downstream;
    this.#head = head;
    this.#info = info;
    this.#originalDst = originalDst;
    this.#body = new RequestBody(downstream);
    this.#timers = new StreamTimers(context.timers, this);
    this.#triedAt = info.startedAt;
  }

  /** Routes the request by the table as it is now; a later table does not touch this stream. */
  start(table: RouteTable | undefined, end: boolean): void {
    const route = table?.match(this.#head);
    if (route === undefined)
      return this.#fail(Causes.noRoute, table === undefined ? "routes have not arrived" : `no route for ${this.#head.authority}`);
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
    if (this.#idleTimeoutMs > 0) this.#timers.arm(Timer.idle, this.#idleTimeoutMs, this.#triedAt);
    if (end) this.#onRequestEnd(this.#triedAt);
    else if (this.#context.requestTimeoutMs > 0) this.#timers.arm(Timer.request, this.#context.requestTimeoutMs, this.#triedAt);
    this.#try();
  }

  #try(): void {
    const cluster = this.#cluster!;
    const host = cluster.pick(this.#originalDst, this.#tried, this.#policy?.avoidPreviousHostsAttempts);
    if (host === undefined) return this.#fail(Causes.noHealthyUpstream, `cluster ${cluster.name} has no healthy host`);
    if (!cluster.breaker.admitsRequest()) {
      cluster.stats.rqPendingOverflow.inc();
      return this.#fail(Causes.upstreamOverflow, `cluster ${cluster.name} has its most requests`);
    }
    this.#info.attempts += 1;
    this.#info.upstreamHost = host.address;
    this.#info.upstreamWorkload = host.endpoint.workload;
    if (this.#route!.virtualHost.includeAttemptCount)
      this.#head.headers.set(HeaderId["x-envoy-attempt-count"], String(this.#info.attempts));
    const attempt = new UpstreamAttempt(this, cluster, host, this.#head, this.#body.isEmpty, this.#triedAt);
    this.#attempt = attempt;
    this.#isTrying = true;
    attempt.start();
    this.#isTrying = false;
    // Until there is a connection the body stays with the client.
    if (attempt.stream === undefined && this.#attempt === attempt) this.#body.pause();
  }

  onAttemptReady(attempt: UpstreamAttempt): void {
    this.#attempt = attempt;
    const stream = attempt.stream!;
    const info = this.#info;
    // Ready at once: an idle connection was there, and the clock needs no second reading.
    info.upstreamRequestSentAt = this.#isTrying ? this.#triedAt : performance.now();
    info.upstreamProtocol = stream.protocol;
    info.upstreamPeerUri = stream.peerUri;
    this.#body.replayTo(stream);
    const perTry = this.#policy?.perTryTimeoutMs ?? 0;
    if (perTry > 0) this.#timers.arm(Timer.try, perTry);
    this.#body.resume();
  }

  onRequestData(chunk: Uint8Array, end: boolean): void {
    this.#info.bytesReceived += chunk.length;
    if (this.#idleTimeoutMs > 0) this.#timers.arm(Timer.idle, this.#idleTimeoutMs);
    if (end) this.#onRequestEnd(performance.now());
    if (!this.#responseStarted) this.#body.keep(chunk);
    if (this.#attempt?.stream?.sendData(chunk, end) === false) this.#body.pause();
  }

  onRequestTrailers(trailers: HeaderList): void {
    this.#body.trailers = trailers;
    this.#onRequestEnd(performance.now());
    this.#attempt?.stream?.sendTrailers(trailers);
  }

  #onRequestEnd(now: number): void {
    this.#body.ended = true;
    this.#info.requestEndedAt = now;
    this.#timers.disarm(Timer.request);
    // Envoy: the route's time runs from the end of the request.
    if (this.#timeoutMs > 0 && !this.#over) this.#timers.arm(Timer.route, this.#timeoutMs, now);
  }

  onDownstreamReset(cause: Cause, detail: string): void {
    if (this.#over) return;
    this.#attempt?.cancel();
    this.#attempt = undefined;
    // A broken request whose client is still there gets an answer.
    if (cause.httpStatus > 0) return this.#fail(cause, detail);
    this.#info.fail(cause, detail);
    this.#end();
  }

  onDownstreamWritable(): void {
    this.#attempt?.stream?.resumeResponse();
  }

  onAttemptWritable(): void {
    this.#body.resume();
  }

  onAttemptInformational(head: ResponseHead): void {
    if (this.#responseStarted) return;
    // Whose fault a failure was is said with the final response only.
    head.headers.remove(HeaderId["x-mesh-error"]);
    this.#downstream.sendInformational(head);
  }

  onAttemptHeaders(attempt: UpstreamAttempt, head: ResponseHead, end: boolean): void {
    if (this.#policy !== undefined && this.#retryResponse(attempt, head)) return;
    const info = this.#info;
    const cluster = attempt.cluster;
    this.#timers.disarm(Timer.try);
    this.#responseStarted = true;
    this.#body.drop();
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
    info.responseHeaders = head.headers;
    const grpcStatus = head.headers.get(HeaderId["grpc-status"]);
    if (grpcStatus !== undefined) info.grpcStatus = Number(grpcStatus);
    this.#downstream.sendHeaders(head, end);
  }

  onAttemptData(chunk: Uint8Array, end: boolean): void {
    this.#info.bytesSent += chunk.length;
    // Over before the last send: that send may start the next request of the same connection.
    if (end) this.#end();
    else if (this.#idleTimeoutMs > 0) this.#timers.arm(Timer.idle, this.#idleTimeoutMs);
    if (!this.#downstream.sendData(chunk, end) && !end) this.#attempt?.stream?.pauseResponse();
  }

  onAttemptTrailers(trailers: HeaderList): void {
    this.#info.responseTrailers = trailers;
    const grpcStatus = trailers.get(HeaderId["grpc-status"]);
    if (grpcStatus !== undefined) this.#info.grpcStatus = Number(grpcStatus);
    this.#end();
    this.#downstream.sendTrailers(trailers);
  }

  onAttemptFailed(attempt: UpstreamAttempt, cause: Cause, detail: string): void {
    if (cause.flag === "UF") this.#info.upstreamTransportFailure = detail;
    if (this.#responseStarted) {
      this.#info.fail(cause, detail);
      this.#downstream.reset(cause);
      this.#end();
      return;
    }
    this.#attempt = undefined;
    this.#tried.push(attempt.host);
    const retry = (this.#retry ??= new RetryState(this.#policy, this.#head.method));
    const { canReplay } = this.#body;
    if (canReplay && attempt.reused && retry.takesStaleRetry(cause)) {
      this.#triedAt = performance.now();
      return this.#try();
    }
    if (canReplay && retry.takesRetryFor(cause)) return this.#retryLater(attempt.cluster, detail);
    if (retry.isExhausted) attempt.cluster.stats.rqRetryLimitExceeded.inc();
    this.#fail(cause, detail);
  }

  #retryResponse(attempt: UpstreamAttempt, head: ResponseHead): boolean {
    const retry = (this.#retry ??= new RetryState(this.#policy, this.#head.method));
    const meshError = attempt.stream?.peerUri === "" ? undefined : head.headers.get(HeaderId["x-mesh-error"]);
    if (!this.#body.canReplay || !retry.takesRetryForResponse(head.status, meshError)) return false;
    attempt.cluster.stats.countRetriedResponse(head.status);
    this.#attempt = undefined;
    this.#tried.push(attempt.host);
    attempt.cancel();
    this.#retryLater(attempt.cluster, `status ${head.status}`);
    return true;
  }

  #retryLater(cluster: Cluster, detail: string): void {
    if (!cluster.breaker.admitsRetry()) {
      cluster.stats.rqRetryOverflow.inc();
      return this.#fail(Causes.upstreamOverflow, `no retry left in cluster ${cluster.name} after ${detail}`);
    }
    this.#timers.disarm(Timer.try);
    cluster.breaker.retries += 1;
    cluster.stats.rqRetry.inc();
    // What comes meanwhile stays with the client: the replay buffer might not hold it.
    this.#body.pause();
    this.#timers.arm(Timer.backoff, Math.round(this.#retry!.backoffMs(this.#context.random())));
  }

  onTimer(kind: number): void {
    switch (kind) {
      case Timer.backoff:
        this.#cluster!.breaker.retries -= 1;
        this.#triedAt = performance.now();
        return this.#try();
      case Timer.route:
        this.#cluster!.stats.rqTimeout.inc();
        if (this.#attempt !== undefined) this.#attempt.host.rqTimeout += 1;
        return this.#abort(Causes.upstreamTimeout, Causes.upstreamTimeoutMidway, `no response within ${this.#timeoutMs} ms`);
      case Timer.idle:
        return this.#abort(
          this.#body.ended ? Causes.streamIdle : Causes.downstreamIdle,
          Causes.streamIdleMidway,
          `no byte for ${this.#idleTimeoutMs} ms`,
        );
      case Timer.try:
        return this.#onTryTimeout();
      case Timer.request:
        return this.#abort(
          Causes.requestTimeout,
          Causes.requestTimeoutMidway,
          `request not whole within ${this.#context.requestTimeoutMs} ms`,
        );
    }
  }

  #onTryTimeout(): void {
    const attempt = this.#attempt!;
    attempt.timeOut();
    this.onAttemptFailed(attempt, Causes.perTryTimeout, `no response within ${this.#policy!.perTryTimeoutMs} ms`);
  }

  #abort(before: Cause, midway: Cause, detail: string): void {
    this.#attempt?.cancel();
    this.#attempt = undefined;
    if (!this.#responseStarted) return this.#fail(before, detail);
    this.#info.fail(midway, detail);
    this.#downstream.reset(midway);
    this.#end();
  }

  #fail(cause: Cause, detail: string): void {
    if (this.#over) return;
    const info = this.#info;
    info.fail(cause, detail);
    info.responseStartedAt = performance.now();
    this.#responseStarted = true;
    this.#body.resume();
    const head = sendLocalReply(this.#downstream, this.#head, cause, this.#vantage(), detail);
    info.responseCode = head.status;
    info.responseHeaders = head.headers;
    info.bytesSent = Math.max(0, head.contentLength);
    this.#cluster?.stats.countResponse(head.status);
    this.#end();
  }

  #vantage(): Vantage {
    if (this.#context.isInbound) return "inbound";
    return (this.#attempt?.host ?? this.#tried.at(-1))?.isMeshPeer === true ? "to-mesh" : "to-anything";
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

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#timers.isArmed(Timer.backoff)) this.#cluster!.breaker.retries -= 1;
    this.#timers.disarmAll();
    const endedAt = this.#attempt?.endedAt ?? -1;
    this.#info.endedAt = endedAt < 0 ? performance.now() : endedAt;
    this.#context.onStreamEnd(this.#info, this.#cluster);
  }
}
