// A connection for one CONNECT that ends at this proxy; nobody else uses it.
import { performance } from "node:perf_hooks";
import { Alpn } from "../../../xds/names.ts";
import { Causes } from "../../failure/causes.ts";
import { TunnelStream } from "../../http/tunnel-stream.ts";
import { dial } from "../../transport/dial.ts";
import type { UpstreamHost } from "../host.ts";
import { sourceAddressFor } from "../source-address.ts";
import type { PoolContext } from "./pool-context.ts";
import type { PoolWaiter } from "./pool.ts";

export class TunnelDial {
  readonly #host: UpstreamHost;
  readonly #context: PoolContext;
  #giveUp: (() => void) | undefined = undefined;

  constructor(host: UpstreamHost, context: PoolContext) {
    this.#host = host;
    this.#context = context;
  }

  acquire(waiter: PoolWaiter): void {
    const { io, secrets, timers, breaker, stats } = this.#context;
    if (!breaker.admitsConnection()) {
      stats.cxOverflow.inc();
      waiter.onPoolFailure(Causes.upstreamOverflow, "too many connections");
      return;
    }
    const config = this.#context.config();
    const { ip, port, tls, address } = this.#host;
    const startedAt = performance.now();
    this.#count();
    this.#giveUp = dial(
      {
        ip,
        port,
        tls,
        // Bytes, which the mesh transport would take for frames.
        alpn: tls?.alpn.filter((each) => each !== Alpn.meshTransport),
        bindSourceAddress: sourceAddressFor(config, ip),
        timeoutMs: config.connectTimeoutMs,
        keepalive: config.tcpKeepalive,
      },
      io,
      secrets,
      timers,
      (outcome) => {
        this.#giveUp = undefined;
        stats.cxConnectMs.record(performance.now() - startedAt);
        if ("cause" in outcome) {
          this.#host.cxConnectFail += 1;
          stats.cxConnectFail.inc();
          this.#uncount();
          waiter.onPoolFailure(outcome.cause, outcome.detail);
          return;
        }
        const stream = new TunnelStream(outcome.connection, address, outcome.peerUri, waiter, () => this.#uncount());
        outcome.connection.start(stream, true);
        waiter.onPoolReady(stream, false);
      },
    );
  }

  /** The waiter no longer waits. */
  cancel(): void {
    if (this.#giveUp === undefined) return;
    this.#giveUp();
    this.#giveUp = undefined;
    this.#uncount();
  }

  #count(): void {
    const { breaker, stats } = this.#context;
    breaker.connections += 1;
    this.#host.cxActive += 1;
    this.#host.cxTotal += 1;
    stats.cxTotal.inc();
    stats.cxActive.inc();
  }

  #uncount(): void {
    const { breaker, stats } = this.#context;
    breaker.connections -= 1;
    this.#host.cxActive -= 1;
    stats.cxActive.dec();
    stats.cxDestroy.inc();
  }
}
