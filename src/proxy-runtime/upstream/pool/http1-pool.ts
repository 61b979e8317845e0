// HTTP/1 connections to one host: an idle one is reused, last used first; otherwise one is opened for each waiter.
import { performance } from "node:perf_hooks";
import type { IoContext } from "../../transport/connection.ts";
import { dial, type DialOutcome } from "../../transport/dial.ts";
import type { Secrets } from "../../transport/secrets.ts";
import { TimerEntry, type Timers } from "../../transport/timers.ts";
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import { Http1ClientConnection, type ClientConnectionOwner } from "../../http/http1/client-connection.ts";
import { Alpn } from "../../../xds/names.ts";
import type { CircuitBreaker } from "../circuit-breaker.ts";
import type { ClusterStats } from "../cluster-stats.ts";
import type { ClusterConfig } from "../../config/cluster-config.ts";
import type { UpstreamHost } from "../host.ts";
import { sourceAddressFor } from "../source-address.ts";
import type { Pool, PoolWaiter } from "./pool.ts";

/** What the pools of a cluster share. */
export interface PoolContext {
  readonly io: IoContext;
  readonly secrets: Secrets;
  readonly timers: Timers;
  readonly stats: ClusterStats;
  readonly breaker: CircuitBreaker;
  /** The cluster's present configuration. */
  config(): ClusterConfig;
}

// To a mesh peer: HTTP/1.1 inside, said in a token that its filter chains match on; the others are for peers that don't know it.
const MESH_HTTP_ALPN = [Alpn.meshHttp11, Alpn.meshTcp, Alpn.http11];

export class Http1Pool implements Pool, ClientConnectionOwner {
  readonly #host: UpstreamHost;
  readonly #context: PoolContext;
  readonly #idle: Http1ClientConnection[] = [];
  readonly #all = new Set<Http1ClientConnection>();
  #waiters: PoolWaiter[] = [];
  #dialing = 0;
  #draining = false;

  constructor(host: UpstreamHost, context: PoolContext) {
    this.#host = host;
    this.#context = context;
  }

  get activeConnections(): number {
    return this.#all.size + this.#dialing;
  }

  acquire(waiter: PoolWaiter): void {
    const client = this.#idle.pop();
    if (client !== undefined) {
      this.#hand(client, waiter);
      return;
    }
    const { breaker, stats } = this.#context;
    if (!breaker.admitsPending()) {
      stats.rqPendingOverflow.inc();
      waiter.onPoolFailure(Causes.upstreamOverflow, "too many pending requests");
      return;
    }
    stats.rqPendingTotal.inc();
    this.#addPending(1);
    this.#waiters.push(waiter);
    if (breaker.admitsConnection()) this.#dial();
    else {
      stats.cxOverflow.inc();
      // As Envoy: a host without any connection gets one, or its waiters would wait for ever.
      if (this.activeConnections === 0) this.#dial();
    }
  }

  cancel(waiter: PoolWaiter): void {
    const index = this.#waiters.indexOf(waiter);
    if (index < 0) return;
    this.#waiters.splice(index, 1);
    this.#addPending(-1);
    this.#context.stats.rqCancelled.inc();
  }

  drain(): void {
    this.#draining = true;
    for (const client of [...this.#all]) client.close();
  }

  #addPending(change: 1 | -1): void {
    const { breaker, stats } = this.#context;
    breaker.pending += change;
    if (change > 0) stats.rqPendingActive.inc();
    else stats.rqPendingActive.dec();
  }

  #hand(client: Http1ClientConnection, waiter: PoolWaiter): void {
    if (client.idleTimer !== undefined) this.#context.timers.disarm(client.idleTimer);
    const reused = client.requests > 0;
    waiter.onPoolReady(client.newStream(waiter), reused);
  }

  #dial(): void {
    const { io, secrets, timers, breaker, stats } = this.#context;
    const config = this.#context.config();
    const startedAt = performance.now();
    const { tls, ip, port } = this.#host;
    this.#dialing += 1;
    breaker.connections += 1;
    this.#host.cxActive += 1;
    this.#host.cxTotal += 1;
    stats.cxTotal.inc();
    stats.cxActive.inc();
    stats.cxHttp1Total.inc();
    const alpn =
      tls === undefined ? undefined : tls.alpn.includes(Alpn.meshTcp) ? MESH_HTTP_ALPN : tls.alpn.filter((each) => each !== Alpn.http2);
    dial(
      { ip, port, tls, alpn, bindSourceAddress: sourceAddressFor(config, ip), timeoutMs: config.connectTimeoutMs },
      io,
      secrets,
      timers,
      (outcome) => {
        this.#dialing -= 1;
        stats.cxConnectMs.record(performance.now() - startedAt);
        if ("cause" in outcome) this.#onDialFailed(outcome.cause, outcome.detail);
        else this.#onDialed(outcome);
      },
    );
  }

  #onDialed(outcome: Extract<DialOutcome, { connection: unknown }>): void {
    if (this.#host.tls !== undefined) this.#context.stats.sslHandshake.inc();
    const client = new Http1ClientConnection(outcome.connection, this.#host.address, outcome.peerUri, this);
    client.ownExpiryMs = outcome.ownExpiryMs;
    this.#all.add(client);
    outcome.connection.start(client, true);
    this.#offer(client);
  }

  #onDialFailed(cause: Cause, detail: string): void {
    const { stats } = this.#context;
    this.#host.cxConnectFail += 1;
    stats.cxConnectFail.inc();
    if (cause === Causes.connectTimeout) stats.cxConnectTimeout.inc();
    if (cause === Causes.tlsFailure) stats.sslConnectionError.inc();
    if (cause === Causes.tlsPeerIdentity) stats.sslFailVerifySan.inc();
    this.#forgetConnection();
    // One failed connection fails one waiter, the oldest; the others have dials of their own under way.
    const waiter = this.#waiters.shift();
    if (waiter === undefined) return;
    this.#addPending(-1);
    stats.rqPendingFailureEject.inc();
    waiter.onPoolFailure(cause, detail);
    if (this.#waiters.length > 0 && this.#dialing === 0) this.#dial();
  }

  #forgetConnection(): void {
    const { breaker, stats } = this.#context;
    breaker.connections -= 1;
    this.#host.cxActive -= 1;
    stats.cxActive.dec();
    stats.cxDestroy.inc();
  }

  #offer(client: Http1ClientConnection): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      this.#addPending(-1);
      this.#hand(client, waiter);
      return;
    }
    if (this.#draining) {
      client.close();
      return;
    }
    this.#idle.push(client);
    const { idleTimeoutMs } = this.#context.config();
    if (idleTimeoutMs === 0) return;
    client.idleTimer ??= new TimerEntry({ onTimer: () => this.#onIdleTimeout(client) }, 0);
    this.#context.timers.arm(client.idleTimer, idleTimeoutMs);
  }

  #onIdleTimeout(client: Http1ClientConnection): void {
    this.#context.stats.cxIdleTimeout.inc();
    client.close();
  }

  onIdle(client: Http1ClientConnection): void {
    const { maxRequestsPerConnection } = this.#context.config();
    if (maxRequestsPerConnection > 0 && client.requests >= maxRequestsPerConnection) {
      this.#context.stats.cxMaxRequests.inc();
      client.close();
      return;
    }
    this.#offer(client);
  }

  onUnusable(client: Http1ClientConnection): void {
    if (!this.#all.delete(client)) return;
    const index = this.#idle.indexOf(client);
    if (index >= 0) this.#idle.splice(index, 1);
    if (client.idleTimer !== undefined) this.#context.timers.disarm(client.idleTimer);
    this.#forgetConnection();
    if (this.#waiters.length <= this.#dialing) return;
    if (this.#context.breaker.admitsConnection() || this.activeConnections === 0) this.#dial();
  }
}
