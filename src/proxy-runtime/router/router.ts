// The router: takes one request from its downstream stream to an upstream host and the response back; chooses route and
// cluster, keeps time, and turns every failure into the one reply that the table gives it.
import type { Cause, Vantage } from "../failure/cause.ts";
import { allowsUpgrade, CONNECT_UPGRADE } from "../config/upgrades.ts";
import { Causes, onceBegun } from "../failure/causes.ts";
import { HeaderId } from "../http/header-id.ts";
import type { HeaderList } from "../http/header-list.ts";
import { opensTunnel, type DownstreamStream, type RequestHead, type RequestReceiver, type ResponseHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import type { TimerOwner } from "../transport/timers.ts";
import type { Cluster } from "../upstream/cluster.ts";
import { directHead, redirectHead } from "./direct-answer.ts";
import { GrpcCall } from "./grpc-call.ts";
import { takeMaxForwards } from "./max-forwards.ts";
import { RequestBody } from "./request-body.ts";
import { countOverdue, overdue } from "./overdue.ts";
import { limitPerTry, setTimeouts, takeTimeoutHeaders, TIMEOUT_HEADERS } from "./request-timeouts.ts";
import { ResponseSide } from "./response-side.ts";
import { rewriteRequest } from "./rewrite.ts";
import { chooseCluster, type ClusterChoice, type CompiledRoute, type RouteTable } from "./route-table.ts";
import type { RouterContext } from "./router-context.ts";
import { StreamTimers, Timer } from "./stream-timers.ts";
import { Tries, type TriesOwner } from "./tries.ts";
import type { UpstreamAttempt } from "./upstream-attempt.ts";
import { turnNow } from "../transport/turn-clock.ts";

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
  /** Where the request will go when it is whole, if it waits for that. */
  #gathering: Cluster | undefined = undefined;
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
    const last = takeMaxForwards(this.#head);
    if (last !== undefined) return this.#answer(last.head, last.body);
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
    if (this.#context.maxRequestBytes > 0 && !end && upgrade === "") this.#gather(cluster);
    else this.#tries.begin(cluster, route, this.#grpc);
  }

  /** The request is to be whole before it goes on. */
  #gather(cluster: Cluster): void {
    const { maxRequestBytes } = this.#context;
    if (this.#head.contentLength > maxRequestBytes) return this.#failTooLarge();
    this.#body.limitBytes = maxRequestBytes;
    this.#gathering = cluster;
  }

  #failTooLarge(): void {
    this.#gathering = undefined;
    this.#fail(Causes.payloadTooLarge, `request body of more than ${this.#context.maxRequestBytes} bytes`);
  }

  #onGathered(cluster: Cluster): void {
    const head = this.#head;
    this.#gathering = undefined;
    // Its length is known now; trailers still need chunks.
    if (head.contentLength < 0 && this.#body.trailers === undefined) {
      head.contentLength = this.#info.bytesReceived;
      head.headers.set(HeaderId["content-length"], String(head.contentLength));
    }
    this.#tries.begin(cluster, this.#route!, this.#grpc);
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
    if (this.#over) return;
    this.#info.bytesReceived += chunk.length;
    this.#grpc?.onRequestData(chunk);
    this.#timers.onProgress();
    if (end) this.#onRequestEnd();
    if (this.#gathering !== undefined) {
      this.#body.keep(chunk, false);
      if (this.#info.bytesReceived > this.#context.maxRequestBytes) this.#failTooLarge();
      else if (end) this.#onGathered(this.#gathering);
    } else if (this.#response.started) {
      if (this.#tries.current?.stream?.sendData(chunk, end) === false) this.#body.pause();
    } else this.#tries.onData(chunk, end);
    if (end && this.#responseEnded) this.#end();
  }

  onRequestTrailers(trailers: HeaderList): void {
    if (this.#over) return;
    this.#body.trailers = trailers;
    this.#onRequestEnd();
    if (this.#gathering !== undefined) return this.#onGathered(this.#gathering);
    this.#tries.current?.stream?.sendTrailers(trailers);
  }

  #onRequestEnd(): void {
    if (this.#isTunnel) {
      this.#body.ended = true;
      return;
    }
    const now = turnNow();
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
    if (this.#isUntellable(head.status)) return this.#abortUntellable(head.status);
    this.#tries.onResponseAccepted(head);
    if (opensTunnel(this.#head.upgrade, head.status)) return this.#openTunnel(head, end);
    this.#response.sendUpstreamHeaders(head, end, this.#choice!.responseEdits, turnNow());
    if (end) this.#end();
  }

  /** A client of HTTP/2 would take a 2xx for a tunnel (RFC 8441 §4), but the server has answered without switching. */
  #isUntellable(status: number): boolean {
    const { upgrade, protocol } = this.#head;
    return upgrade !== "" && upgrade !== CONNECT_UPGRADE && protocol === "HTTP/2" && status >= 200 && status < 300;
  }

  #abortUntellable(status: number): void {
    const detail = `status ${status} to an upgrade, which in HTTP/2 would say that it was accepted`;
    this.#abort(Causes.upstreamProtocolError, Causes.upstreamProtocolErrorMidway, detail);
  }

  #openTunnel(head: ResponseHead, end: boolean): void {
    this.#isTunnel = true;
    this.#timers.onTunnel();
    this.#context.onTunnelOpened(this.#info);
    this.#response.sendUpstreamHeaders(head, false, this.#choice!.responseEdits, turnNow());
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
    if (kind === Timer.backoff) return this.#tries.onBackoffOver();
    const { cluster, current } = this.#tries;
    const { before, midway, detail, isOfTry } = overdue(kind, this.#timers, this.#info.requestEndedAt >= 0, cluster, this.#timeoutCause);
    if (cluster !== undefined) countOverdue(kind, cluster);
    if (!isOfTry) {
      if (kind === Timer.route && current !== undefined) current.host.rqTimeout += 1;
      return this.#abort(before, midway, detail);
    }
    current!.timeOut();
    if (this.#response.started) this.#cut(midway, detail);
    else this.onAttemptFailed(current!, before, detail);
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
    this.#gathering = undefined;
    this.#tries.end();
    this.#timers.disarmAll();
    this.#grpc?.end();
    if (this.#isTunnel) this.#tries.current?.onTunnelOver();
    const endedAt = this.#tries.current?.endedAt ?? -1;
    this.#info.endedAt = endedAt < 0 ? turnNow() : endedAt;
    this.#context.onStreamEnd(this.#info, this.#tries.cluster);
    this.#context.specimens.keep(this);
  }
}
