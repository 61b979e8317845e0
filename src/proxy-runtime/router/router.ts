// The router: takes one request from its downstream stream to an upstream host and the response back; chooses route and
// cluster, keeps time, and turns every failure into the one reply that the table gives it.
import { performance } from "node:perf_hooks";
import type { Cause, Vantage } from "../failure/cause.ts";
import { allowsUpgrade, CONNECT_UPGRADE } from "../config/upgrades.ts";
import { Causes, onceBegun } from "../failure/causes.ts";
import type { HeaderList } from "../http/header-list.ts";
import { opensTunnel, type DownstreamStream, type RequestHead, type RequestReceiver, type ResponseHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import type { TimerOwner } from "../transport/timers.ts";
import { directHead, redirectHead } from "./direct-answer.ts";
import { GrpcCall } from "./grpc-call.ts";
import { RequestBody } from "./request-body.ts";
import { limitPerTry, setTimeouts, takeTimeoutHeaders, TIMEOUT_HEADERS } from "./request-timeouts.ts";
import { ResponseSide } from "./response-side.ts";
import { rewriteRequest } from "./rewrite.ts";
import { chooseCluster, type ClusterChoice, type CompiledRoute, type RouteTable } from "./route-table.ts";
import type { RouterContext } from "./router-context.ts";
import { StreamTimers, Timer } from "./stream-timers.ts";
import { Tries, type TriesOwner } from "./tries.ts";
import type { UpstreamAttempt } from "./upstream-attempt.ts";

const NOTHING = Buffer.alloc(0);

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
  /** Both streams are byte pipes. */
  #isTunnel = false;
  #responseEnded = false;
  /** What it is when the route's time is over: a status of 504, or the one that the request asked for. */
  #timeoutCause: Cause = Causes.upstreamTimeout;
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
    this.#grpc = info.isGrpc ? new GrpcCall(context, info) : undefined;
    this.#body = new RequestBody(downstream);
    this.#response = new ResponseSide(context, downstream, head, info);
    this.#timers = new StreamTimers(context.timers, this);
    this.#tries = new Tries(this, context, head, info, this.#body, this.#timers, originalDst);
  }

  /** Routes the request by the table as it is now; a later table does not touch this stream. */
  start(table: RouteTable | undefined, end: boolean): void {
    const route = table?.match(this.#head);
    const { upgrade } = this.#head;
    if (upgrade !== "" && !allowsUpgrade(this.#context.upgrades, route?.upgrades, upgrade)) return this.#refuseUpgrade(upgrade);
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
    this.#response.countsAttempts = route.virtualHost.includeAttemptCountInResponse;
    rewriteRequest(this.#head, action, route.entry.match.path, !this.#context.suppressEnvoyHeaders);
    const { headers } = this.#head;
    if (!choice.requestEdits.isEmpty) choice.requestEdits.apply(headers, this.#info);
    const timers = this.#timers;
    setTimeouts(timers, action, route.retry?.policy, cluster.config.maxStreamDurationMs, this.#context);
    this.#grpc?.begin(headers, action, timers, cluster);
    if (headers.mayHave(TIMEOUT_HEADERS)) this.#timeoutCause = takeTimeoutHeaders(timers, headers, this.#context);
    limitPerTry(timers);
    timers.onRequestHead(end || upgrade !== "", this.#info.startedAt);
    if (end) this.#noteRequestEnd(this.#info.startedAt);
    else if (upgrade !== "") this.#holdUpgrade();
    this.#tries.begin(cluster, route, this.#grpc);
  }

  #refuseUpgrade(upgrade: string): void {
    if (upgrade === CONNECT_UPGRADE) this.#fail(Causes.connectRefused, "CONNECT is not allowed here");
    else this.#fail(Causes.upgradeRefused, `upgrade to ${upgrade} is not allowed here`);
  }

  /** The request is whole; what follows it belongs to the tunnel, or is the next request. */
  #holdUpgrade(): void {
    this.#info.requestEndedAt = this.#info.startedAt;
    this.#body.hold();
  }

  onAttemptReady(attempt: UpstreamAttempt): void {
    this.#tries.onReady(attempt);
  }

  onRequestData(chunk: Uint8Array, end: boolean): void {
    this.#info.bytesReceived += chunk.length;
    this.#grpc?.onRequestData(chunk);
    this.#timers.onProgress();
    if (end) this.#onRequestEnd();
    if (this.#response.started) {
      if (this.#tries.current?.stream?.sendData(chunk, end) === false) this.#body.pause();
    } else this.#tries.onData(chunk, end);
    if (end && this.#responseEnded) this.#end();
  }

  onRequestTrailers(trailers: HeaderList): void {
    this.#body.trailers = trailers;
    this.#onRequestEnd();
    this.#tries.current?.stream?.sendTrailers(trailers);
  }

  #onRequestEnd(): void {
    if (this.#isTunnel) {
      this.#body.ended = true;
      return;
    }
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
    // A request whose client is still there gets an answer, or sees that there is no whole one.
    if (cause.httpStatus > 0) return this.#response.started ? this.#cut(onceBegun(cause), detail) : this.#fail(cause, detail);
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
    this.#tries.onResponseAccepted(head);
    if (opensTunnel(this.#head.upgrade, head.status)) return this.#openTunnel(head, end);
    this.#response.sendUpstreamHeaders(head, end, this.#choice!.responseEdits, performance.now());
    if (end) this.#end();
  }

  #openTunnel(head: ResponseHead, end: boolean): void {
    this.#isTunnel = true;
    this.#timers.onTunnel();
    this.#context.onTunnelOpened(this.#info);
    this.#response.sendUpstreamHeaders(head, false, this.#choice!.responseEdits, performance.now());
    if (end) this.onAttemptData(NOTHING, true);
    this.#body.release();
  }

  onAttemptData(chunk: Uint8Array, end: boolean): void {
    this.#info.bytesSent += chunk.length;
    this.#grpc?.onResponseData(chunk);
    if (end && this.#isTunnel) this.#responseEnded = true;
    // Over before the last send: that send may start the next request of the same connection.
    if (end && (!this.#isTunnel || this.#body.ended)) this.#end();
    else this.#timers.onProgress();
    if (!this.#response.sendData(chunk, end) && !end) this.#tries.current?.stream?.pauseResponse();
  }

  onAttemptTrailers(trailers: HeaderList): void {
    this.#response.noteTrailers(trailers);
    this.#end();
    this.#response.sendTrailers(trailers);
  }

  onAttemptFailed(attempt: UpstreamAttempt, cause: Cause, detail: string): void {
    if (this.#tries.isPlaintextRefused(attempt, cause)) {
      const by = attempt.cluster.config.destinationRule;
      const what = by === undefined ? `cluster ${attempt.cluster.name}` : `DestinationRule ${by}`;
      return this.#onAttemptFailed(
        attempt,
        Causes.plaintextRefused,
        `${detail}; the sidecar there takes mutual TLS, and ${what} sends plaintext`,
      );
    }
    this.#onAttemptFailed(attempt, cause, detail);
  }

  #onAttemptFailed(attempt: UpstreamAttempt, cause: Cause, detail: string): void {
    if (cause.flag === "UF") this.#info.upstreamTransportFailure = detail;
    if (this.#response.started) this.#cut(cause, detail);
    else if (!this.#tries.goesOnAfterFailure(attempt, cause)) this.#fail(cause, detail);
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
          this.#info.requestEndedAt >= 0 ? Causes.streamIdle : Causes.downstreamIdle,
          Causes.streamIdleMidway,
          `no byte for ${timers.idleMs} ms`,
        );
      case Timer.try:
        this.#tries.cluster!.stats.rqPerTryTimeout.inc();
        return this.#onTryTimeout(Causes.perTryTimeout, Causes.upstreamTimeoutMidway, `no response within ${timers.perTryMs} ms`);
      case Timer.tryIdle:
        this.#tries.cluster!.stats.rqPerTryIdleTimeout.inc();
        return this.#onTryTimeout(Causes.perTryIdleTimeout, Causes.perTryIdleTimeoutMidway, `no byte for ${timers.perTryIdleMs} ms`);
      case Timer.tryDuration:
        this.#tries.cluster!.stats.rqMaxDurationReached.inc();
        return this.#onTryTimeout(
          Causes.upstreamDuration,
          Causes.upstreamDurationMidway,
          `longer than the ${timers.tryDurationMs} ms that cluster ${this.#tries.cluster!.name} lets a stream take`,
        );
      case Timer.duration:
        return this.#abort(
          this.#info.requestEndedAt >= 0 ? Causes.streamDuration : Causes.requestDuration,
          Causes.streamDurationMidway,
          `longer than the ${timers.durationMs} ms that a stream may take`,
        );
      case Timer.request:
        return this.#abort(Causes.requestTimeout, Causes.requestTimeoutMidway, `request not whole within ${timers.requestMs} ms`);
    }
  }

  #onTimeout(detail: string): void {
    this.#tries.cluster!.stats.rqTimeout.inc();
    if (this.#tries.current !== undefined) this.#tries.current.host.rqTimeout += 1;
    this.#abort(this.#timeoutCause, Causes.upstreamTimeoutMidway, detail);
  }

  /** The present try has taken too long; another may follow. */
  #onTryTimeout(before: Cause, midway: Cause, detail: string): void {
    const attempt = this.#tries.current!;
    attempt.timeOut();
    if (this.#response.started) this.#cut(midway, detail);
    else this.onAttemptFailed(attempt, before, detail);
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
    this.#body.release();
    const status = this.#response.sendFailure(cause, this.#vantage(), detail, this.#choice?.responseEdits ?? this.#route?.responseEdits);
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
    this.#tries.end();
    this.#timers.disarmAll();
    this.#grpc?.end();
    if (this.#isTunnel) this.#tries.current?.onTunnelOver();
    const endedAt = this.#tries.current?.endedAt ?? -1;
    this.#info.endedAt = endedAt < 0 ? performance.now() : endedAt;
    this.#context.onStreamEnd(this.#info, this.#tries.cluster);
  }
}
