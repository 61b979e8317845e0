// One try at one host: waits for a connection, sends the request, hears the response, and tells the router.
import type { Cause } from "../failure/cause.ts";
import { grpcStatusOf, isServerError } from "../http/grpc/status.ts";
import type { HeaderList } from "../http/header-list.ts";
import { opensTunnel, type RequestHead, type ResponseHead, type UpstreamStream } from "../http/stream.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { UpstreamHost } from "../upstream/host.ts";
import type { PoolWaiter } from "../upstream/pool/pool.ts";
import type { TunnelDial } from "../upstream/pool/tunnel-dial.ts";
import { turnNow } from "../transport/turn-clock.ts";

/** The router, as an attempt sees it. Calls of an attempt that was cancelled don't come. */
export interface AttemptOwner {
  /** The stream is open and the request's head is on it. */
  onAttemptReady(attempt: UpstreamAttempt): void;
  onAttemptInformational(head: ResponseHead): void;
  onAttemptHeaders(attempt: UpstreamAttempt, head: ResponseHead, end: boolean): void;
  onAttemptData(chunk: Uint8Array, end: boolean): void;
  onAttemptTrailers(trailers: HeaderList): void;
  onAttemptFailed(attempt: UpstreamAttempt, cause: Cause, detail: string): void;
  onAttemptWritable(): void;
}

export class UpstreamAttempt implements PoolWaiter {
  readonly cluster: Cluster;
  readonly host: UpstreamHost;
  stream: UpstreamStream | undefined = undefined;
  /** For a CONNECT that ends here, in place of the host's pool. */
  tunnel: TunnelDial | undefined = undefined;
  /** A gRPC call, whose status tells whether the host did well. */
  isGrpc = false;
  /** The connection had carried a request before. */
  reused = false;
  responseStarted = false;
  /** ms of performance.now(); -1 while it runs. */
  endedAt = -1;
  readonly #owner: AttemptOwner;
  readonly #startedAt: number;
  #head: RequestHead;
  #endWithHead: boolean;
  #over = false;
  #waiting = true;
  #isTunnel = false;
  #awaitsStatus = false;

  constructor(owner: AttemptOwner, cluster: Cluster, host: UpstreamHost, head: RequestHead, endWithHead: boolean, now: number) {
    this.#owner = owner;
    this.cluster = cluster;
    this.host = host;
    this.#head = head;
    this.#endWithHead = endWithHead;
    this.#startedAt = now;
  }

  get isHttp2(): boolean {
    return this.#head.protocol === "HTTP/2";
  }

  start(): void {
    const { cluster, host } = this;
    cluster.breaker.requests += 1;
    cluster.stats.rqTotal.inc();
    cluster.stats.rqActive.inc();
    host.rqActive += 1;
    host.rqTotal += 1;
    (this.tunnel ?? cluster.poolOf(host)).acquire(this);
  }

  /** Gives the attempt up. */
  cancel(): void {
    if (this.#over) return;
    this.#finish();
    if (this.#waiting) (this.tunnel ?? this.cluster.poolOf(this.host)).cancel(this);
    else if (this.stream !== undefined) {
      this.cluster.stats.rqTxReset.inc();
      this.stream.reset();
    }
  }

  /** Gives the attempt up because it took too long. */
  timeOut(): void {
    this.host.rqTimeout += 1;
    this.cancel();
  }

  onPoolReady(stream: UpstreamStream, reused: boolean): void {
    this.#waiting = false;
    this.stream = stream;
    this.reused = reused;
    stream.sendHeaders(this.#head, this.#endWithHead);
    this.#owner.onAttemptReady(this);
  }

  onPoolFailure(cause: Cause, detail: string): void {
    this.#waiting = false;
    this.#finish();
    this.host.rqError += 1;
    this.#owner.onAttemptFailed(this, cause, detail);
  }

  onInformational(head: ResponseHead): void {
    this.#owner.onAttemptInformational(head);
  }

  onResponseHeaders(head: ResponseHead, end: boolean): void {
    this.responseStarted = true;
    if (head.status >= 500) this.host.rqError += 1;
    else if (!this.isGrpc) this.host.rqSuccess += 1;
    else {
      const status = grpcStatusOf(head.headers);
      this.#awaitsStatus = status === undefined && !end;
      if (!this.#awaitsStatus) this.#judge(status);
    }
    this.#isTunnel = opensTunnel(this.#head.upgrade, head.status);
    if (end && !this.#isTunnel) this.#finish();
    this.#owner.onAttemptHeaders(this, head, end);
  }

  onResponseData(chunk: Uint8Array, end: boolean): void {
    if (end && this.#awaitsStatus) this.#judge(undefined);
    if (end && !this.#isTunnel) this.#finish();
    this.#owner.onAttemptData(chunk, end);
  }

  /** Both halves have ended, or one of them has failed. */
  onTunnelOver(): void {
    this.#finish();
  }

  onResponseTrailers(trailers: HeaderList): void {
    if (this.#awaitsStatus) this.#judge(grpcStatusOf(trailers));
    this.#finish();
    this.#owner.onAttemptTrailers(trailers);
  }

  onUpstreamReset(cause: Cause, detail: string): void {
    this.#finish();
    this.host.rqError += 1;
    this.cluster.stats.rqRxReset.inc();
    this.#owner.onAttemptFailed(this, cause, detail);
  }

  onUpstreamWritable(): void {
    this.#owner.onAttemptWritable();
  }

  /** Envoy: no status at all is the host's mistake. */
  #judge(grpcStatus: number | undefined): void {
    if (grpcStatus === undefined || isServerError(grpcStatus)) this.host.rqError += 1;
    else this.host.rqSuccess += 1;
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.endedAt = turnNow();
    const { cluster, host } = this;
    cluster.breaker.requests -= 1;
    cluster.stats.rqActive.dec();
    cluster.stats.rqTime.record(this.endedAt - this.#startedAt);
    host.rqActive -= 1;
  }
}
