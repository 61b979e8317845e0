// A listener at run time: its sockets, and the way of a connection from there to its filter chain.
import { createServer, type Server, type Socket } from "node:net";
import type { ListenerAddress, ListenerConfig } from "../config/listener-config.ts";
import { includesPort } from "../config/port-ranges.ts";
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import type { IoContext } from "../transport/connection.ts";
import { keepAlive } from "../transport/keepalive.ts";
import type { OriginalDst } from "../transport/original-dst.ts";
import type { Secrets } from "../transport/secrets.ts";
import { sniff, type Sniffed, type SniffOptions } from "../transport/sniff.ts";
import { unmapIpv4, type SocketAddress } from "../transport/socket-address.ts";
import type { TlsFailure } from "../transport/tls-server.ts";
import type { ListenerServices } from "./connection-manager.ts";
import { Arrival, type ArrivalOwner } from "./arrival.ts";
import { ChainSet } from "./chain-set.ts";
import { FilterChain, type Accepted } from "./filter-chain.ts";
import { ListenerStats } from "./listener-stats.ts";
import { OpenConnections } from "./open-connections.ts";

/** Which of how many workers this thread is. Several share their ports by SO_REUSEPORT. */
export interface WorkerNumber {
  readonly index: number;
  readonly count: number;
}

export interface ListenerDependencies {
  readonly worker: WorkerNumber;
  readonly services: ListenerServices;
  readonly io: IoContext;
  readonly secrets: Secrets;
  /** undefined where no listener asks for original destinations. */
  readonly originalDst: OriginalDst | undefined;
  /** The listener that a connection to this address belongs to (use_original_dst). */
  readonly listenerFor: (destination: SocketAddress) => Listener | undefined;
  readonly nextConnectionId: () => number;
  /** A connection was turned away: for the log. */
  onRefused(listener: string, remote: SocketAddress, local: SocketAddress, reason: string, cause: Cause): void;
}

const TLS_CAUSES: Readonly<Record<TlsFailure, Cause>> = {
  missing_secret: Causes.noServerCertificate,
  handshake_failed: Causes.clientHandshakeFailed,
  timeout: Causes.clientHandshakeFailed,
  closed: Causes.clientHandshakeFailed,
  no_certificate: Causes.clientUntrusted,
  verify_failed: Causes.clientUntrusted,
  san_mismatch: Causes.clientUntrusted,
};

const UNSNIFFED: Sniffed = { transport: "raw_buffer", serverName: "", applicationProtocols: [] };

export class Listener {
  config: ListenerConfig;
  readonly stats: ListenerStats;
  readonly #dependencies: ListenerDependencies;
  readonly #servers: Server[] = [];
  readonly #chains: ChainSet;
  /** Accepted, and not in a filter chain's hands yet. */
  readonly #undecided = new OpenConnections<Arrival>();

  readonly #owner: ArrivalOwner = {
    onOpen: (arrival, chain) => {
      this.#undecided.delete(arrival);
      this.#chains.onOpen(chain, arrival);
    },
    onClosed: (arrival, chain) => this.#chains.onClosed(chain, arrival),
    onGone: (arrival) => {
      this.stats.cxActive.dec();
      this.stats.cxDestroy.inc();
      this.#undecided.delete(arrival);
    },
    onTlsHandshake: () => this.stats.sslHandshake.inc(),
    onTlsFailure: ({ remote, local }, failure, detail) => {
      this.stats.countTlsFailure(failure);
      this.#dependencies.onRefused(this.config.name, remote, local, `${failure}: ${detail}`, TLS_CAUSES[failure]);
    },
  };

  constructor(config: ListenerConfig, dependencies: ListenerDependencies) {
    this.config = config;
    this.#dependencies = dependencies;
    this.stats = new ListenerStats(dependencies.services.stats, config.statPrefix === "" ? addressText(config) : config.statPrefix);
    const { services, io, secrets } = dependencies;
    this.#chains = new ChainSet((each) => new FilterChain(each, services, io, secrets));
    this.configure(config);
  }

  /** Takes a new configuration; the addresses stay the same (a change of address is a new listener). */
  configure(config: ListenerConfig): void {
    this.config = config;
    this.#chains.configure(config);
  }

  /**
   * Opens the sockets.
   * @param ports instead of 0, by address: what the system chose for another worker.
   * @throws NodeJS.ErrnoException of the first address that can't be bound; none stays open then.
   */
  async bind(ports: readonly number[] = []): Promise<void> {
    if (!this.config.bindToPort) return;
    try {
      for (const [index, { port, ...rest }] of [this.config.address, ...this.config.additionalAddresses].entries())
        await this.#bindOne({ ...rest, port: port === 0 ? (ports[index] ?? 0) : port });
    } catch (error) {
      this.closeSockets();
      throw error;
    }
  }

  async #bindOne({ host, port, ipv4Compat }: ListenerAddress): Promise<void> {
    const server = createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true }, (socket) =>
      this.#guard(socket, () => this.#onConnection(socket)),
    );
    // Both families may be bound apart from each other on the same port.
    const ipv6Only = host.includes(":") && ipv4Compat !== true;
    const options = { host, port, ipv6Only, reusePort: this.#dependencies.worker.count > 1, backlog: 4096 };
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(options, () => {
        server.off("error", reject);
        server.on("error", () => undefined); // EMFILE and the like: accepting goes on with the next connection
        resolve();
      });
    });
    this.#servers.push(server);
  }

  /** Addresses really bound (port 0 resolved). */
  get boundAddresses(): readonly SocketAddress[] {
    return this.#servers.flatMap((server) => {
      const address = server.address();
      return address === null || typeof address === "string" ? [] : [{ ip: address.address, port: address.port }];
    });
  }

  get activeConnections(): number {
    return this.#chains.activeConnections;
  }

  /** No new connections; what is open goes on. */
  closeSockets(): void {
    for (const server of this.#servers.splice(0)) server.close();
  }

  /**
   * HTTP connections end after the request that they carry, or the next one; without a request when they have been idle
   * for a while, `idleGraceMs` at most.
   */
  drain(idleGraceMs = Infinity): void {
    this.#chains.drain(idleGraceMs);
  }

  destroy(): void {
    this.closeSockets();
    for (const each of this.#undecided.all()) each.socket.destroy();
    this.#chains.destroy();
  }

  #onConnection(socket: Socket): void {
    if (socket.remoteAddress === undefined) {
      socket.destroy(); // gone already
      return;
    }
    if (this.config.tcpKeepalive !== undefined) keepAlive(socket, this.config.tcpKeepalive);
    const { originalDst, listenerFor, nextConnectionId } = this.#dependencies;
    const remote = { ip: unmapIpv4(socket.remoteAddress), port: socket.remotePort! };
    const bound = { ip: unmapIpv4(socket.localAddress!), port: socket.localPort! };
    const asked = this.config.restoreOriginalDst ? originalDst?.(socket) : undefined;
    // Our own address means that nothing was redirected: going "on" to it would be a loop.
    const restored = asked !== undefined && (asked.port !== bound.port || asked.ip !== bound.ip) ? asked : undefined;
    const local = restored ?? bound;
    const target = (this.config.useOriginalDst && restored !== undefined ? listenerFor(restored) : undefined) ?? this;
    target.#take({ socket, remote, local, originalDst: restored, serverName: "", alpn: [], id: nextConnectionId() });
  }

  /** A bug of ours costs the connection at most. */
  #guard(socket: Socket, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      socket.destroy();
      this.#dependencies.io.onInternalError(thrown);
    }
  }

  #take(accepted: Accepted): void {
    this.stats.cxTotal.inc();
    this.stats.cxActive.inc();
    const arrival = new Arrival(accepted.socket, this.#owner);
    accepted.socket.on("error", ignore); // 'close' follows and tells
    this.#undecided.add(arrival);
    const { config } = this;
    const options: SniffOptions = {
      tls: includesPort(config.tlsInspectorPorts, accepted.local.port),
      http: includesPort(config.httpInspectorPorts, accepted.local.port),
      timeoutMs: config.listenerFiltersTimeoutMs,
    };
    if (!options.tls && !options.http) return this.#dispatch(arrival, accepted, UNSNIFFED);
    this.stats.preCxActive.inc();
    sniff(accepted.socket, options, this.#dependencies.services.timers, (sniffed, timedOut) => {
      this.stats.preCxActive.dec();
      if (timedOut) this.stats.preCxTimeout.inc();
      if (sniffed === undefined || (timedOut && !config.continueOnListenerFiltersTimeout)) return void accepted.socket.destroy();
      const alpn = sniffed.transport === "tls" ? sniffed.applicationProtocols : [];
      this.#guard(accepted.socket, () => this.#dispatch(arrival, { ...accepted, serverName: sniffed.serverName, alpn }, sniffed));
    });
  }

  #dispatch(arrival: Arrival, accepted: Accepted, sniffed: Sniffed): void {
    const { remote, local } = accepted;
    const chain = this.#chains.choose({
      destinationIp: local.ip,
      destinationPort: local.port,
      sourceIp: remote.ip,
      sourcePort: remote.port,
      sniffed,
    });
    if (chain === undefined) {
      this.stats.noFilterChainMatch.inc();
      const what = sniffed.transport === "tls" ? `TLS${sniffed.serverName === "" ? "" : ` for ${sniffed.serverName}`}` : "plaintext";
      this.#dependencies.onRefused(this.config.name, remote, local, `no filter chain takes ${what}`, Causes.noFilterChain);
      accepted.socket.resetAndDestroy();
      return;
    }
    arrival.enter(chain, accepted);
  }
}
const ignore = (): void => undefined;

function addressText(config: ListenerConfig): string {
  return `${config.address.host}_${config.address.port}`;
}
