// Connections of one kind to one host. HTTP/1: an idle one is reused, last used first, else one is opened for each
// waiter. HTTP/2: one carries as many requests as the host allows; another is opened only when all are full.
import { performance } from "node:perf_hooks";
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import { Http1ClientConnection, type ClientConnectionOwner } from "../../http/http1/client-connection.ts";
import { Http2ClientConnection, type Http2ClientOwner } from "../../http/http2/client-connection.ts";
import { dial, type DialOutcome } from "../../transport/dial.ts";
import { TimerEntry } from "../../transport/timers.ts";
import type { UpstreamHost } from "../host.ts";
import { sourceAddressFor } from "../source-address.ts";
import { alpnOffer, spokenProtocol, type PoolKind } from "./alpn-offer.ts";
import type { PoolContext } from "./pool-context.ts";
import type { Pool, PoolWaiter } from "./pool.ts";

type Dialed = Extract<DialOutcome, { connection: unknown }>;
type Client = Http1ClientConnection | Http2ClientConnection;

// What a host's head may have at most; Envoy's default for responses is the same as for requests.
const RESPONSE_HEAD_BYTES = 61440;
// A mesh connection is said goodbye to before it closes, so it need not close before the peer might; keeping it saves handshakes.
const MESH_IDLE_TIMEOUT_MS = 60_000;

export interface ConnectionPoolOptions {
  readonly kind: PoolKind;
  /** Whether a waiter's request is for HTTP/2, should the peer not know the mesh transport. */
  readonly wantsHttp2: (waiter: PoolWaiter) => boolean;
  /** A peer that was offered the mesh transport speaks something else: takes the connection. The pool's waiters follow. */
  readonly onOtherProtocol?: (dialed: Dialed, waiters: readonly PoolWaiter[]) => void;
}

export class ConnectionPool implements Pool, ClientConnectionOwner, Http2ClientOwner {
  readonly #host: UpstreamHost;
  readonly #context: PoolContext;
  readonly #options: ConnectionPoolOptions;
  readonly #idle: Http1ClientConnection[] = [];
  /** Usable HTTP/2 connections; the first with room is taken. */
  readonly #shared: Http2ClientConnection[] = [];
  readonly #all = new Set<Client>();
  /** When they will be too old, where there is a limit. */
  #ages: Map<Client, TimerEntry> | undefined = undefined;
  #waiters: PoolWaiter[] = [];
  #dialing = 0;
  #draining = false;
  /** One connection serves many waiters, as far as is known. */
  #multiplexes: boolean;

  constructor(host: UpstreamHost, context: PoolContext, options: ConnectionPoolOptions) {
    this.#host = host;
    this.#context = context;
    this.#options = options;
    this.#multiplexes = options.kind !== "http1";
  }

  get activeConnections(): number {
    return this.#all.size + this.#dialing;
  }

  acquire(waiter: PoolWaiter): void {
    const shared = this.#sharedWithRoom();
    if (shared !== undefined) return this.#handShared(shared, waiter);
    const client = this.#idle.pop();
    if (client !== undefined) return this.#hand(client, waiter);
    const { breaker, stats } = this.#context;
    if (!breaker.admitsPending()) {
      stats.rqPendingOverflow.inc();
      waiter.onPoolFailure(Causes.upstreamOverflow, "too many pending requests");
      return;
    }
    stats.rqPendingTotal.inc();
    this.#addPending(1);
    this.#waiters.push(waiter);
    this.dialForWaiters();
  }

  /** Takes a waiter that waited in another pool, and is counted already; `dialForWaiters` follows. */
  expect(waiter: PoolWaiter): void {
    this.#waiters.push(waiter);
  }

  cancel(waiter: PoolWaiter): boolean {
    const index = this.#waiters.indexOf(waiter);
    if (index < 0) return false;
    this.#waiters.splice(index, 1);
    this.#addPending(-1);
    this.#context.stats.rqCancelled.inc();
    return true;
  }

  drain(): void {
    this.#draining = true;
    for (const client of [...this.#all]) client.close();
  }

  /** A connection that another pool has opened. */
  adopt(dialed: Dialed): void {
    const { breaker, stats } = this.#context;
    breaker.connections += 1;
    this.#host.cxActive += 1;
    stats.cxActive.inc();
    this.#onConnection(dialed);
  }

  #sharedWithRoom(): Http2ClientConnection | undefined {
    const shared = this.#shared;
    for (let index = 0; index < shared.length; index += 1) if (shared[index]!.hasCapacity) return shared[index];
    return undefined;
  }

  #addPending(change: 1 | -1): void {
    const { breaker, stats } = this.#context;
    breaker.pending += change;
    if (change > 0) stats.rqPendingActive.inc();
    else stats.rqPendingActive.dec();
  }

  #hand(client: Http1ClientConnection, waiter: PoolWaiter): void {
    if (client.idleTimer !== undefined) this.#context.timers.suspend(client.idleTimer);
    const reused = client.requests > 0;
    waiter.onPoolReady(client.newStream(waiter), reused);
  }

  #handShared(client: Http2ClientConnection, waiter: PoolWaiter): void {
    if (client.idleTimer !== undefined) this.#context.timers.suspend(client.idleTimer);
    const reused = client.requests > 0;
    const { maxRequestsPerConnection } = this.#context.config();
    waiter.onPoolReady(client.newStream(waiter), reused);
    if (maxRequestsPerConnection > 0 && client.requests >= maxRequestsPerConnection && client.isUsable) {
      this.#context.stats.cxMaxRequests.inc();
      client.close();
    }
  }

  /** Opens what the waiters need and is not under way. */
  dialForWaiters(): void {
    if (this.#waiters.length === 0) return;
    // One connection will serve them all; HTTP/1 needs one for each.
    if (this.#multiplexes ? this.#dialing > 0 : this.#dialing >= this.#waiters.length) return;
    if (this.#context.breaker.admitsConnection()) return this.#dial();
    this.#context.stats.cxOverflow.inc();
    // As Envoy: a host without any connection gets one, or its waiters would wait for ever.
    if (this.activeConnections === 0) this.#dial();
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
    const [first] = this.#waiters;
    const alpn = tls === undefined ? undefined : alpnOffer(tls, this.#options.kind, first !== undefined && this.#options.wantsHttp2(first));
    dial(
      {
        ip,
        port,
        tls,
        alpn,
        bindSourceAddress: sourceAddressFor(config, ip),
        timeoutMs: config.connectTimeoutMs,
        keepalive: config.tcpKeepalive,
      },
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

  #onDialed(dialed: Dialed): void {
    if (this.#host.tls !== undefined) this.#context.stats.sslHandshake.inc();
    const { kind, onOtherProtocol } = this.#options;
    if (kind === "mesh" && spokenProtocol(kind, dialed.alpn) !== "mesh") {
      const waiters = this.#waiters;
      this.#waiters = [];
      this.#uncountConnection();
      onOtherProtocol!(dialed, waiters);
    } else this.#onConnection(dialed);
  }

  #onConnection(dialed: Dialed): void {
    const { stats, timers } = this.#context;
    const config = this.#context.config();
    const limits = { maxBytes: RESPONSE_HEAD_BYTES, maxHeaders: config.maxResponseHeaders };
    const spoken = spokenProtocol(this.#options.kind, dialed.alpn);
    const { connection, peerUri } = dialed;
    const { address } = this.#host;
    this.#multiplexes = spoken !== "http1";
    connection.count(stats.cxRxBytes, stats.cxTxBytes);
    if (spoken === "http1") {
      stats.cxHttp1Total.inc();
      const client = new Http1ClientConnection(connection, address, peerUri, this, limits);
      client.ownExpiryMs = dialed.ownExpiryMs;
      this.#add(client);
      connection.start(client, true);
      this.#offer(client);
      // It turned out to be one connection a request: the others need theirs.
      while (this.#dialing < this.#waiters.length && this.#context.breaker.admitsConnection()) this.#dial();
    } else {
      stats.cxHttp2Total.inc();
      const options = { config: config.http2, limits, isMesh: spoken === "mesh", stats: stats.http2 };
      const facts = { remoteAddress: address, peerUri, ownExpiryMs: dialed.ownExpiryMs };
      const client = new Http2ClientConnection(connection, facts, options, this, timers);
      this.#add(client);
      this.#shared.push(client);
      connection.start(client, true);
      this.onCapacity(client);
    }
  }

  #add(client: Client): void {
    this.#all.add(client);
    const { timers, stats } = this.#context;
    const { maxConnectionDurationMs } = this.#context.config();
    if (maxConnectionDurationMs === 0) return;
    const onTimer = (): void => {
      stats.cxMaxDuration.inc();
      client.close();
    };
    const timer = new TimerEntry({ onTimer }, 0);
    (this.#ages ??= new Map()).set(client, timer);
    timers.arm(timer, maxConnectionDurationMs);
  }

  #onDialFailed(cause: Cause, detail: string): void {
    const { stats } = this.#context;
    this.#host.cxConnectFail += 1;
    stats.cxConnectFail.inc();
    if (cause === Causes.connectTimeout) stats.cxConnectTimeout.inc();
    if (cause === Causes.tlsFailure) stats.sslConnectionError.inc();
    if (cause === Causes.tlsPeerIdentity) stats.sslFailVerifySan.inc();
    this.#forgetConnection();
    // One failed connection fails those who waited for it: HTTP/1's oldest waiter, as the others have dials of their own.
    const failed = this.#multiplexes ? this.#waiters.splice(0) : this.#waiters.splice(0, 1);
    for (const waiter of failed) {
      this.#addPending(-1);
      stats.rqPendingFailureEject.inc();
      waiter.onPoolFailure(cause, detail);
    }
    this.dialForWaiters();
  }

  #forgetConnection(): void {
    this.#uncountConnection();
    this.#context.stats.cxDestroy.inc();
  }

  #uncountConnection(): void {
    this.#context.breaker.connections -= 1;
    this.#host.cxActive -= 1;
    this.#context.stats.cxActive.dec();
  }

  #offer(client: Http1ClientConnection): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      this.#addPending(-1);
      this.#hand(client, waiter);
      return;
    }
    if (this.#draining) return client.close();
    this.#idle.push(client);
    this.#armIdle(client, this.#context.config().idleTimeoutMs);
  }

  onCapacity(client: Http2ClientConnection): void {
    while (this.#waiters.length > 0 && client.hasCapacity) {
      this.#addPending(-1);
      this.#handShared(client, this.#waiters.shift()!);
    }
    if (this.#waiters.length > 0) return this.dialForWaiters();
    if (client.activeStreams > 0 || !client.isUsable) return;
    if (this.#draining) return client.close();
    const { idleTimeoutMs } = this.#context.config();
    const isMesh = this.#options.kind === "mesh" && idleTimeoutMs > 0;
    this.#armIdle(client, isMesh ? Math.max(idleTimeoutMs, MESH_IDLE_TIMEOUT_MS) : idleTimeoutMs);
  }

  #armIdle(client: Client, idleTimeoutMs: number): void {
    if (idleTimeoutMs === 0) return;
    client.idleTimer ??= new TimerEntry({ onTimer: () => this.#onIdleTimeout(client) }, 0);
    this.#context.timers.arm(client.idleTimer, idleTimeoutMs);
  }

  #onIdleTimeout(client: Client): void {
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

  onUnusable(client: Client): void {
    const list: Client[] = client instanceof Http1ClientConnection ? this.#idle : this.#shared;
    const index = list.indexOf(client);
    if (index >= 0) list.splice(index, 1);
    if (client.idleTimer !== undefined) this.#context.timers.disarm(client.idleTimer);
    // An HTTP/2 connection still carries its last streams.
    if (client instanceof Http1ClientConnection) this.onGone(client);
    else this.dialForWaiters();
  }

  onProtocolError(): void {
    this.#context.stats.cxProtocolError.inc();
  }

  onGone(client: Client): void {
    if (!this.#all.delete(client)) return;
    const age = this.#ages?.get(client);
    if (age !== undefined) {
      this.#context.timers.disarm(age);
      this.#ages!.delete(client);
    }
    this.#forgetConnection();
    this.dialForWaiters();
  }
}
