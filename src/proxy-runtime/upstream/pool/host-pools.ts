// The pools of one host: one for each protocol that its requests need, and one for all of them where the host is a
// meshctl. Which it is, its answer to our ALPN says.
import type { UpstreamHost } from "../host.ts";
import { offersMeshTransport, spokenProtocol } from "./alpn-offer.ts";
import { ConnectionPool } from "./connection-pool.ts";
import type { PoolContext } from "./pool-context.ts";
import type { Pool, PoolWaiter } from "./pool.ts";

export class HostPools implements Pool {
  readonly #host: UpstreamHost;
  readonly #context: PoolContext;
  #mesh: ConnectionPool | undefined = undefined;
  #http1: ConnectionPool | undefined = undefined;
  #http2: ConnectionPool | undefined = undefined;
  #auto: ConnectionPool | undefined = undefined;
  /** The peer has refused the mesh transport: another version, another mesh. */
  #isForeign = false;
  #draining = false;

  constructor(host: UpstreamHost, context: PoolContext) {
    this.#host = host;
    this.#context = context;
  }

  get activeConnections(): number {
    return this.#all().reduce((sum, pool) => sum + pool.activeConnections, 0);
  }

  acquire(waiter: PoolWaiter): void {
    this.#poolFor(this.#wantsHttp2(waiter)).acquire(waiter);
  }

  cancel(waiter: PoolWaiter): void {
    for (const pool of this.#all()) if (pool.cancel(waiter)) return;
  }

  drain(): void {
    this.#draining = true;
    for (const pool of this.#all()) pool.drain();
  }

  #all(): readonly ConnectionPool[] {
    return [this.#mesh, this.#http1, this.#http2, this.#auto].filter((pool) => pool !== undefined);
  }

  readonly #wantsHttp2 = (waiter: PoolWaiter): boolean => {
    const { protocol } = this.#context.config();
    return protocol === "http2" || (protocol !== "http1" && waiter.isHttp2);
  };

  #poolFor(wantsHttp2: boolean): ConnectionPool {
    if (!this.#isForeign && offersMeshTransport(this.#host.tls)) return (this.#mesh ??= this.#newMeshPool());
    if (this.#context.config().protocol === "auto") return (this.#auto ??= this.#newPool("auto"));
    return wantsHttp2 ? (this.#http2 ??= this.#newPool("http2")) : (this.#http1 ??= this.#newPool("http1"));
  }

  #newPool(kind: "http1" | "http2" | "auto"): ConnectionPool {
    const pool = new ConnectionPool(this.#host, this.#context, { kind, wantsHttp2: this.#wantsHttp2 });
    if (this.#draining) pool.drain();
    return pool;
  }

  #newMeshPool(): ConnectionPool {
    return new ConnectionPool(this.#host, this.#context, {
      kind: "mesh",
      wantsHttp2: this.#wantsHttp2,
      onOtherProtocol: (dialed, waiters) => {
        this.#isForeign = true;
        // First who waits, so that the connection finds its taker.
        for (const waiter of waiters) this.#poolFor(this.#wantsHttp2(waiter)).expect(waiter);
        this.#poolFor(spokenProtocol("auto", dialed.alpn) === "http2").adopt(dialed);
        for (const pool of this.#all()) pool.dialForWaiters();
      },
    });
  }
}
