// The tries of one request at its cluster: picks a host for each, starts it, and decides whether a failed one is
// followed by another, at once or after a back-off.
import { TLS_MODE_MESH } from "../../xds/names.ts";
import { CONNECT_UPGRADE } from "../config/upgrades.ts";
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import { grpcStatusOf, isServerError } from "../http/grpc/status.ts";
import { HeaderId } from "../http/header-id.ts";
import type { RequestHead, ResponseHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { UpstreamHost } from "../upstream/host.ts";
import type { GrpcCall } from "./grpc-call.ts";
import type { RequestBody } from "./request-body.ts";
import { setExpectedTimeout } from "./request-timeouts.ts";
import type { RetryConditions } from "./retry-conditions.ts";
import { takeRetryHeaders } from "./retry-headers.ts";
import { RetryState, type RetryDecision } from "./retry-state.ts";
import type { CompiledRoute } from "./route-table.ts";
import type { RouterContext } from "./router-context.ts";
import type { StreamTimers } from "./stream-timers.ts";
import { UpstreamAttempt, type AttemptOwner } from "./upstream-attempt.ts";
import { turnNow } from "../transport/turn-clock.ts";

export interface TriesOwner extends AttemptOwner {
  /** No host can be tried (again). */
  onTriesOver(cause: Cause, detail: string): void;
}

const NONE: readonly UpstreamHost[] = [];
// A body that no policy tries again is kept for a connection that turns out to be dead.
const STALE_RETRY_BYTES = 65536;

export class Tries {
  cluster: Cluster | undefined = undefined;
  /** The one that runs, or has brought the response. */
  current: UpstreamAttempt | undefined = undefined;
  readonly #owner: TriesOwner;
  readonly #context: RouterContext;
  readonly #head: RequestHead;
  readonly #info: StreamInfo;
  readonly #body: RequestBody;
  readonly #timers: StreamTimers;
  readonly #originalDst: SocketAddress | undefined;
  #route: CompiledRoute | undefined = undefined;
  #conditions: RetryConditions | undefined = undefined;
  #grpc: GrpcCall | undefined = undefined;
  #retry: RetryState | undefined = undefined;
  #tried: UpstreamHost[] | undefined = undefined;
  /** A retry of ours waits or runs: it counts against the cluster's limit. */
  #holdsRetry = false;
  #isStarting = false;
  /** When the present try began, ms of performance.now(). */
  #startedAt: number;

  constructor(
    owner: TriesOwner,
    context: RouterContext,
    head: RequestHead,
    info: StreamInfo,
    body: RequestBody,
    timers: StreamTimers,
    originalDst: SocketAddress | undefined,
  ) {
    this.#owner = owner;
    this.#context = context;
    this.#head = head;
    this.#info = info;
    this.#body = body;
    this.#timers = timers;
    this.#originalDst = originalDst;
    this.#startedAt = info.startedAt;
  }

  /** The first try. */
  begin(cluster: Cluster, route: CompiledRoute, grpc: GrpcCall | undefined): void {
    this.cluster = cluster;
    this.#route = route;
    this.#grpc = grpc;
    const conditions = takeRetryHeaders(this.#head.headers, route.retry);
    this.#conditions = conditions?.allows(this.#head) === true ? conditions : undefined;
    const limitBytes = route.entry.bufferLimitBytes ?? this.#context.bufferLimitBytes;
    this.#body.limitBytes = this.#conditions === undefined ? Math.min(limitBytes, STALE_RETRY_BYTES) : limitBytes;
    this.#start();
  }

  #start(): void {
    const cluster = this.cluster!;
    const info = this.#info;
    const { headers } = this.#head;
    const host = cluster.pick(this.#originalDst, this.#tried ?? NONE, this.#conditions?.policy.avoidPreviousHostsAttempts);
    if (host === undefined) return this.#owner.onTriesOver(Causes.noHealthyUpstream, `cluster ${cluster.name} has no healthy host`);
    if (!cluster.breaker.admitsRequest()) {
      cluster.stats.rqPendingOverflow.inc();
      return this.#owner.onTriesOver(Causes.upstreamOverflow, `cluster ${cluster.name} has its most requests`);
    }
    info.attempts += 1;
    info.upstreamHost = host.address;
    info.upstreamWorkload = host.endpoint.workload;
    if (this.#route!.virtualHost.includeAttemptCount) headers.set(HeaderId["x-envoy-attempt-count"], String(info.attempts));
    const elapsedMs = info.requestEndedAt < 0 ? 0 : this.#startedAt - info.requestEndedAt;
    setExpectedTimeout(this.#timers, headers, elapsedMs, this.#context);
    this.#grpc?.forwardDeadline(headers, this.#startedAt);
    const attempt = new UpstreamAttempt(this.#owner, cluster, host, this.#head, this.#body.isEmpty, this.#startedAt);
    attempt.isGrpc = this.#grpc !== undefined;
    if (this.#head.upgrade === CONNECT_UPGRADE && this.#route!.terminatesConnect) attempt.tunnel = cluster.tunnelTo(host);
    this.current = attempt;
    this.#isStarting = true;
    attempt.start();
    this.#isStarting = false;
    // Until there is a connection the body stays with the client.
    if (attempt.stream === undefined && this.current === attempt) this.#body.pause();
  }

  /** The stream is open and the head on it: the body follows. */
  onReady(attempt: UpstreamAttempt): void {
    this.current = attempt;
    const stream = attempt.stream!;
    const info = this.#info;
    // Ready at once: an idle connection was there, and the clock needs no second reading.
    info.upstreamRequestSentAt = this.#isStarting ? this.#startedAt : turnNow();
    info.upstreamProtocol = stream.protocol;
    info.upstreamPeerUri = stream.peerUri;
    this.#body.replayTo(stream);
    this.#timers.onTryStart();
    this.#body.resume();
  }

  /** A piece of the body has come. */
  onData(chunk: Uint8Array, end: boolean): void {
    const stream = this.current?.stream;
    if (this.#body.keep(chunk, stream !== undefined) && this.#conditions !== undefined) this.cluster?.stats.retryAbandoned.inc();
    if (stream?.sendData(chunk, end) === false) this.#body.pause();
  }

  /**
   * A sidecar answers every request that it takes; one that closes a plaintext connection without a word has no filter
   * chain for it.
   */
  isPlaintextRefused({ host, reused }: UpstreamAttempt, cause: Cause): boolean {
    if (cause !== Causes.upstreamClosed || reused || host.tls !== undefined) return false;
    return host.endpoint.transportSocketMatch["tlsMode"] === TLS_MODE_MESH;
  }

  /** Answers false when the failure stands: no other try is made. */
  goesOnAfterFailure(attempt: UpstreamAttempt, cause: Cause): boolean {
    this.#onTryOver(attempt);
    if (!this.#body.canReplay) return false;
    const retry = (this.#retry ??= new RetryState(this.#conditions, this.#head.method));
    if (retry.takesUnseenRetry(cause, attempt.reused || attempt.host.isMeshPeer)) {
      this.#startedAt = turnNow();
      this.#start();
      return true;
    }
    if (!this.#admits(retry.decideFailure(cause))) return false;
    attempt.cluster.stats.rqRetryBackoffExponential.inc();
    this.#startLater(retry.backoffMs(this.#context.random()), cause === Causes.perTryTimeout);
    return true;
  }

  /** Answers false when the response stands. */
  goesOnAfterResponse(attempt: UpstreamAttempt, head: ResponseHead): boolean {
    const conditions = this.#conditions;
    if (conditions === undefined) return false;
    const { status, headers } = head;
    const meshError = attempt.stream?.peerUri === "" ? undefined : headers.get(HeaderId["x-mesh-error"]);
    if ((meshError === undefined && !conditions.mayWantResponse(status)) || !this.#body.canReplay) return false;
    this.#releaseRetry();
    const retry = (this.#retry ??= new RetryState(conditions, this.#head.method));
    if (!this.#admits(retry.decideResponse(status, headers, meshError))) return false;
    const { stats } = attempt.cluster;
    const random = this.#context.random();
    const askedMs = retry.rateLimitedMs(headers, random, Date.now());
    (askedMs === undefined ? stats.rqRetryBackoffExponential : stats.rqRetryBackoffRatelimited).inc();
    stats.countRetriedResponse(status);
    this.#onTryOver(attempt);
    attempt.cancel();
    this.#startLater(askedMs ?? retry.backoffMs(random), false);
    return true;
  }

  #onTryOver(attempt: UpstreamAttempt): void {
    this.current = undefined;
    this.#releaseRetry();
    this.#timers.onTryOver();
    (this.#tried ??= []).push(attempt.host);
  }

  #admits(decision: RetryDecision): boolean {
    if (decision === "no") return false;
    const { stats, breaker } = this.cluster!;
    if (decision === "yes" && breaker.admitsRetry()) return true;
    // The failure or response stands, and says so (Envoy).
    this.#info.retryFlag = decision === "exhausted" ? "URX" : "UO";
    (decision === "exhausted" ? stats.rqRetryLimitExceeded : stats.rqRetryOverflow).inc();
    return false;
  }

  #startLater(waitMs: number, isTimeoutRetry: boolean): void {
    const { stats, breaker } = this.cluster!;
    breaker.retries += 1;
    this.#holdsRetry = true;
    stats.rqRetry.inc();
    if (this.#route!.virtualHost.includeIsTimeoutRetry)
      this.#head.headers.set(HeaderId["x-envoy-is-timeout-retry"], String(isTimeoutRetry));
    // What comes meanwhile stays with the client: the replay buffer might not hold it.
    this.#body.pause();
    this.#timers.startBackoff(Math.round(waitMs));
  }

  onBackoffOver(): void {
    this.#startedAt = turnNow();
    this.#start();
  }

  #releaseRetry(): void {
    if (!this.#holdsRetry) return;
    this.#holdsRetry = false;
    this.cluster!.breaker.retries -= 1;
  }

  /** The response is the final one. */
  onResponseAccepted({ status, headers }: ResponseHead): void {
    const { stats } = this.cluster!;
    this.#timers.onResponse();
    this.#body.drop();
    stats.countResponse(status);
    if (this.#retry === undefined || this.#info.attempts === 1 || status >= 500) return;
    if (this.#grpc === undefined || !isServerError(grpcStatusOf(headers))) stats.rqRetrySuccess.inc();
  }

  /** Gives up what runs or waits. */
  cancel(): void {
    this.current?.cancel();
    this.current = undefined;
  }

  /** The request is over. */
  end(): void {
    this.#releaseRetry();
  }

  /** The host that was tried last is another sidecar. */
  get isToMesh(): boolean {
    return (this.current?.host ?? this.#tried?.at(-1))?.isMeshPeer === true;
  }
}
