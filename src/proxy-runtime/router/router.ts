// The router: takes one request from its downstream stream to an upstream host and the response back; chooses route and
// cluster, keeps time, and turns every failure into the one reply that the table gives it.
import { performance } from "node:perf_hooks";
import type { Cause, Vantage } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { DownstreamStream, RequestHead, RequestReceiver, ResponseHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import type { TimerOwner } from "../transport/timers.ts";
import { directHead, redirectHead } from "./direct-answer.ts";
import { GrpcCall } from "./grpc-call.ts";
import { RequestBody } from "./request-body.ts";
import { ResponseSide } from "./response-side.ts";
import { rewriteRequest } from "./rewrite.ts";
import { chooseCluster, type ClusterChoice, type CompiledRoute, type RouteTable } from "./route-table.ts";
import type { RouterContext } from "./router-context.ts";
import { StreamTimers, Timer } from "./stream-timers.ts";
import { Tries, type TriesOwner } from "./tries.ts";
import type { UpstreamAttempt } from "./upstream-attempt.ts";

export class Router implements RequestReceiver, TriesOwner, TimerOwner {
  readonly #context: RouterContext;
  readonly #head: RequestHead;
  readonly #info: StreamInfo;
  readonly #body: RequestBody;
  readonly #response: ResponseSide;
  readonly #timers: StreamTimers;
  readonly #tries: Tries;
  readonly #grpc: GrpcCall | undefined;
  #route: CompiledRoute | undefined = undefined;
  #choice: ClusterChoice | undefined = undefined;
  #over = false;

  constructor(
    context: RouterContext,
    downstream: DownstreamStream,
    head: RequestHead,
    info: StreamInfo,
    originalDst: SocketAddress | undefined,
  ) {
    this.#context = context;
    this.#head = head;
    this.#info = info;
    this.#grpc = info.isGrpc ? new GrpcCall(info) : undefined;
    this.#body = new RequestBody(downstream);
    this.#response = new ResponseSide(context, downstream, head, info);
    this.#timers = new StreamTimers(context.timers, this);
    this.#tries = new Tries(this, context, head, info, this.#body, this.#timers, originalDst);
  }

  /** Routes the request by the table as it is now; a later table does not touch this stream. */
  start(table: RouteTable | undefined, end: boolean): void {
    const route = table?.match(this.#head);
    if (route === undefined)
      return this.#fail(Causes.noRoute, table === undefined ? "routes have not arrived" : `no route for ${this.#head.authority}`);
    this.#route = route;
    this.#info.routeName = route.entry.name;
    const { action } = route.entry;
    if (action.kind === "redirect") return this.#answer(redirectHead(action, this.#head, route.entry.match.path), "");
    if (action.kind === "direct_response") return this.#answer(directHead(action.status, action.body), action.body);

    const choice = chooseCluster(route, route.choices.length > 1 ? this.#context.random() : 0);
    const cluster = this.#context.clusters.get(choice.cluster);
    this.#info.clusterName = choice.cluster;
    if (cluster === undefined) return this.#fail(Causes.noCluster, `cluster ${choice.cluster} is unknown`);
    this.#choice = choice;
    rewriteRequest(this.#head, action, route.entry.match.path);
    if (!choice.requestEdits.isEmpty) choice.requestEdits.apply(this.#head.headers, this.#info);
    const timers = this.#timers;
    timers.routeMs = action.timeoutMs;
    timers.idleMs = action.idleTimeoutMs ?? this.#context.streamIdleTimeoutMs;
    timers.perTryMs = route.retry?.perTryTimeoutMs ?? 0;
    timers.requestMs = this.#context.requestTimeoutMs;
    this.#grpc?.begin(this.#head.headers, action, timers);
    timers.onRequestHead(end, this.#info.startedAt);
    if (end) this.#noteRequestEnd(this.#info.startedAt);
    this.#tries.begin(cluster, route, this.#grpc);
  }

  onAttemptReady(attempt: UpstreamAttempt): void {
    this.#tries.onReady(attempt);
  }

  onRequestData(chunk: Uint8Array, end: boolean): void {
    this.#info.bytesReceived += chunk.length;
    this.#grpc?.requestMessages.add(chunk);
    this.#timers.onProgress();
    if (end) this.#onRequestEnd();
    if (!this.#response.started) this.#body.keep(chunk);
    if (this.#tries.current?.stream?.sendData(chunk, end) === false) this.#body.pause();
  }

  onRequestTrailers(trailers: HeaderList): void {
    this.#body.trailers = trailers;
    this.#onRequestEnd();
    this.#tries.current?.stream?.sendTrailers(trailers);
  }

  #onRequestEnd(): void {
    const now = performance.now();
    this.#noteRequestEnd(now);
    if (!this.#over) this.#timers.onRequestEnd(now);
  }

  #noteRequestEnd(now: number): void {
    this.#body.ended = true;
    this.#info.requestEndedAt = now;
  }

  onDownstreamReset(cause: Cause, detail: string): void {
    if (this.#over) return;
    this.#tries.cancel();
    // A broken request whose client is still there gets an answer.
    if (cause.httpStatus > 0) return this.#fail(cause, detail);
    this.#info.fail(cause, detail);
    this.#end();
  }

  onDownstreamWritable(): void {
    this.#tries.current?.stream?.resumeResponse();
  }

  onAttemptWritable(): void {
    this.#body.resume();
  }

  onAttemptInformational(head: ResponseHead): void {
    this.#response.sendInformational(head);
  }

  onAttemptHeaders(attempt: UpstreamAttempt, head: ResponseHead, end: boolean): void {
    if (this.#tries.goesOnAfterResponse(attempt, head)) return;
    this.#timers.onTryOver();
    this.#body.drop();
    this.#tries.onResponseAccepted(head.status);
    this.#response.sendUpstreamHeaders(head, end, this.#choice!.responseEdits, performance.now());
    if (end) this.#end();
  }

  onAttemptData(chunk: Uint8Array, end: boolean): void {
    this.#info.bytesSent += chunk.length;
    this.#grpc?.responseMessages.add(chunk);
    // Over before the last send: that send may start the next request of the same connection.
    if (end) this.#end();
    else this.#timers.onProgress();
    if (!this.#response.sendData(chunk, end) && !end) this.#tries.current?.stream?.pauseResponse();
  }

  onAttemptTrailers(trailers: HeaderList): void {
    this.#response.noteTrailers(trailers);
    this.#end();
    this.#response.sendTrailers(trailers);
  }

  onAttemptFailed(attempt: UpstreamAttempt, cause: Cause, detail: string): void {
    if (cause.flag === "UF") this.#info.upstreamTransportFailure = detail;
    if (this.#response.started) this.#cut(cause, detail);
    else if (!this.#tries.goesOnAfterFailure(attempt, cause, detail)) this.#fail(cause, detail);
  }

  onTriesOver(cause: Cause, detail: string): void {
    this.#fail(cause, detail);
  }

  onTimer(kind: number): void {
    const timers = this.#timers;
    switch (kind) {
      case Timer.backoff:
        return this.#tries.onBackoffOver();
      case Timer.route:
        return this.#onTimeout(`no response within ${timers.routeMs} ms`);
      case Timer.deadline:
        return this.#onTimeout(`the call's deadline of ${timers.deadlineMs} ms has passed`);
      case Timer.idle:
        return this.#abort(
          this.#body.ended ? Causes.streamIdle : Causes.downstreamIdle,
          Causes.streamIdleMidway,
          `no byte for ${timers.idleMs} ms`,
        );
      case Timer.try:
        return this.#onTryTimeout();
      case Timer.request:
        return this.#abort(Causes.requestTimeout, Causes.requestTimeoutMidway, `request not whole within ${timers.requestMs} ms`);
    }
  }

  #onTimeout(detail: string): void {
    this.#tries.cluster!.stats.rqTimeout.inc();
    if (this.#tries.current !== undefined) this.#tries.current.host.rqTimeout += 1;
    this.#abort(Causes.upstreamTimeout, Causes.upstreamTimeoutMidway, detail);
  }

  #onTryTimeout(): void {
    const attempt = this.#tries.current!;
    attempt.timeOut();
    this.onAttemptFailed(attempt, Causes.perTryTimeout, `no response within ${this.#timers.perTryMs} ms`);
  }

  /** Gives up for a reason of our own: by a reply while there can be one, else by cutting the response. */
  #abort(before: Cause, midway: Cause, detail: string): void {
    this.#tries.cancel();
    if (this.#response.started) this.#cut(midway, detail);
    else this.#fail(before, detail);
  }

  #cut(cause: Cause, detail: string): void {
    this.#info.fail(cause, detail);
    const trailers = this.#response.noteCut(cause, this.#vantage(), detail);
    this.#end();
    if (trailers === undefined) this.#response.reset(cause);
    else this.#response.sendTrailers(trailers);
  }

  #fail(cause: Cause, detail: string): void {
    if (this.#over) return;
    this.#info.fail(cause, detail);
    this.#body.resume();
    const status = this.#response.sendFailure(cause, this.#vantage(), detail);
    this.#tries.cluster?.stats.countResponse(status);
    this.#end();
  }

  #vantage(): Vantage {
    if (this.#context.isInbound) return "inbound";
    return this.#tries.isToMesh ? "to-mesh" : "to-anything";
  }

  #answer(head: ResponseHead, body: string): void {
    this.#response.sendAnswer(head, body, this.#route!.responseEdits);
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#timers.isBackingOff) this.#tries.cluster!.breaker.retries -= 1;
    this.#timers.disarmAll();
    this.#grpc?.end();
    const endedAt = this.#tries.current?.endedAt ?? -1;
    this.#info.endedAt = endedAt < 0 ? performance.now() : endedAt;
    this.#context.onStreamEnd(this.#info, this.#tries.cluster);
  }
}
