// The tries of one request at its cluster: picks a host for each, starts it, and decides whether a failed one is
// followed by another, at once or after a back-off.
import { performance } from "node:perf_hooks";
import type { RetryPolicy } from "../config/route-config.ts";
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import { HeaderId } from "../http/header-id.ts";
import type { RequestHead, ResponseHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { UpstreamHost } from "../upstream/host.ts";
import type { GrpcCall } from "./grpc-call.ts";
import type { RequestBody } from "./request-body.ts";
import { RetryState } from "./retry-state.ts";
import type { CompiledRoute } from "./route-table.ts";
import type { RouterContext } from "./router-context.ts";
import type { StreamTimers } from "./stream-timers.ts";
import { UpstreamAttempt, type AttemptOwner } from "./upstream-attempt.ts";

export interface TriesOwner extends AttemptOwner {
  /** No host can be tried (again). */
  onTriesOver(cause: Cause, detail: string): void;
}

const NONE: readonly UpstreamHost[] = [];

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
  #policy: RetryPolicy | undefined = undefined;
  #countsAttempts = false;
  #grpc: GrpcCall | undefined = undefined;
  #retry: RetryState | undefined = undefined;
  #tried: UpstreamHost[] | undefined = undefined;
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
    this.#policy = route.retry;
    this.#countsAttempts = route.virtualHost.includeAttemptCount;
    this.#grpc = grpc;
    this.#start();
  }

  #start(): void {
    const cluster = this.cluster!;
    const info = this.#info;
    const host = cluster.pick(this.#originalDst, this.#tried ?? NONE, this.#policy?.avoidPreviousHostsAttempts);
    if (host === undefined) return this.#owner.onTriesOver(Causes.noHealthyUpstream, `cluster ${cluster.name} has no healthy host`);
    if (!cluster.breaker.admitsRequest()) {
      cluster.stats.rqPendingOverflow.inc();
      return this.#owner.onTriesOver(Causes.upstreamOverflow, `cluster ${cluster.name} has its most requests`);
    }
    info.attempts += 1;
    info.upstreamHost = host.address;
    info.upstreamWorkload = host.endpoint.workload;
    if (this.#countsAttempts) this.#head.headers.set(HeaderId["x-envoy-attempt-count"], String(info.attempts));
    this.#grpc?.forwardDeadline(this.#head.headers, this.#startedAt);
    const attempt = new UpstreamAttempt(this.#owner, cluster, host, this.#head, this.#body.isEmpty, this.#startedAt);
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
    info.upstreamRequestSentAt = this.#isStarting ? this.#startedAt : performance.now();
    info.upstreamProtocol = stream.protocol;
    info.upstreamPeerUri = stream.peerUri;
    this.#body.replayTo(stream);
    this.#timers.onTryStart();
    this.#body.resume();
  }

  /** Answers false when the failure stands: no other try is made. One that can't be made tells onTriesOver. */
  goesOnAfterFailure(attempt: UpstreamAttempt, cause: Cause, detail: string): boolean {
    this.current = undefined;
    (this.#tried ??= []).push(attempt.host);
    const retry = (this.#retry ??= new RetryState(this.#policy, this.#head.method));
    const { canReplay } = this.#body;
    if (canReplay && attempt.reused && retry.takesStaleRetry(cause)) {
      this.#startedAt = performance.now();
      this.#start();
      return true;
    }
    if (canReplay && retry.takesRetryFor(cause)) {
      this.#startLater(retry, attempt.cluster, detail);
      return true;
    }
    if (retry.isExhausted) attempt.cluster.stats.rqRetryLimitExceeded.inc();
    return false;
  }

  /** Answers false when the response stands. */
  goesOnAfterResponse(attempt: UpstreamAttempt, head: ResponseHead): boolean {
    if (this.#policy === undefined) return false;
    const retry = (this.#retry ??= new RetryState(this.#policy, this.#head.method));
    const meshError = attempt.stream?.peerUri === "" ? undefined : head.headers.get(HeaderId["x-mesh-error"]);
    if (!this.#body.canReplay || !retry.takesRetryForResponse(head.status, meshError)) return false;
    attempt.cluster.stats.countRetriedResponse(head.status);
    this.current = undefined;
    (this.#tried ??= []).push(attempt.host);
    attempt.cancel();
    this.#startLater(retry, attempt.cluster, `status ${head.status}`);
    return true;
  }

  #startLater(retry: RetryState, cluster: Cluster, detail: string): void {
    if (!cluster.breaker.admitsRetry()) {
      cluster.stats.rqRetryOverflow.inc();
      return this.#owner.onTriesOver(Causes.upstreamOverflow, `no retry left in cluster ${cluster.name} after ${detail}`);
    }
    cluster.breaker.retries += 1;
    cluster.stats.rqRetry.inc();
    // What comes meanwhile stays with the client: the replay buffer might not hold it.
    this.#body.pause();
    this.#timers.startBackoff(Math.round(retry.backoffMs(this.#context.random())));
  }

  onBackoffOver(): void {
    this.cluster!.breaker.retries -= 1;
    this.#startedAt = performance.now();
    this.#start();
  }

  /** The response is the final one. */
  onResponseAccepted(status: number): void {
    const { stats } = this.cluster!;
    stats.countResponse(status);
    if (this.#retry !== undefined && this.#info.attempts > 1 && status < 500) stats.rqRetrySuccess.inc();
  }

  /** Gives up what runs or waits. */
  cancel(): void {
    this.current?.cancel();
    this.current = undefined;
  }

  /** The host that was tried last is another sidecar. */
  get isToMesh(): boolean {
    return (this.current?.host ?? this.#tried?.at(-1))?.isMeshPeer === true;
  }
}
