// A filter chain at run time: TLS, then the one network filter that ends it. Takes an accepted connection and starts
// whatever it is configured for.
import { formatAddress } from "../../common/address.ts";
import type { FilterChainConfig } from "../config/listener-config.ts";
import type { ConnectionInfo } from "../telemetry/stream-info.ts";
import { Connection, type IoContext } from "../transport/connection.ts";
import type { Secrets } from "../transport/secrets.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import { TlsServer, type TlsFailure, type TlsPassed } from "../transport/tls-server.ts";
import { RouteTable } from "../router/route-table.ts";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { ConnectionManager, type ListenerServices } from "./connection-manager.ts";
import { HttpConnection } from "./http-connection.ts";
import { TcpProxy } from "./tcp/tcp-proxy.ts";
import { TcpRelay } from "./tcp/tcp-relay.ts";

/** A connection that a chain has taken. */
export interface ActiveConnection {
  /** Ends when it can do so without harm, an idle one after `idleGraceMs` at most; TCP relays go on until their peers end them. */
  drain(idleGraceMs: number): void;
  destroy(): void;
}

export interface Accepted {
  readonly socket: Socket;
  readonly remote: SocketAddress;
  readonly local: SocketAddress;
  readonly originalDst: SocketAddress | undefined;
  readonly serverName: string;
  /** Of the ClientHello, where it was looked at. */
  readonly alpn: readonly string[];
  readonly id: number;
}

/** What becomes of one accepted connection. */
export interface ChainEvents {
  onOpen(active: ActiveConnection): void;
  onClosed(): void;
  onTlsFailure(failure: TlsFailure, detail: string): void;
  onTlsHandshake(): void;
}

export class FilterChain {
  readonly config: FilterChainConfig;
  readonly #io: IoContext;
  readonly #tls: TlsServer | undefined;
  readonly #manager: ConnectionManager | undefined;
  readonly #tcp: TcpProxy | undefined;

  constructor(config: FilterChainConfig, services: ListenerServices, io: IoContext, secrets: Secrets) {
    this.config = config;
    this.#io = io;
    this.#tls = config.tls === undefined ? undefined : new TlsServer(config.tls, secrets, config.transportSocketConnectTimeoutMs);
    const { filter } = config;
    if (filter.kind === "tcp") this.#tcp = new TcpProxy(filter, services, io);
    else {
      const inline = filter.routes.kind === "inline" ? new RouteTable(filter.routes.config) : undefined;
      this.#manager = new ConnectionManager(filter, services, inline, config.tls === undefined ? "http" : "https");
    }
  }

  accept(accepted: Accepted, events: ChainEvents): void {
    if (this.#tls === undefined) {
      this.#start(accepted.socket, accepted, undefined, events);
      return;
    }
    this.#tls.accept(accepted.socket, accepted.alpn, (outcome) => {
      if ("failure" in outcome) events.onTlsFailure(outcome.failure, outcome.detail);
      else {
        events.onTlsHandshake();
        try {
          this.#start(outcome.socket, accepted, outcome, events);
        } catch (thrown) {
          outcome.socket.destroy();
          this.#io.onInternalError(thrown);
        }
      }
    });
  }

  /** New requests are the connections' last. */
  startDraining(): void {
    this.#manager?.startDraining();
  }

  #start(socket: Socket | TLSSocket, accepted: Accepted, secure: TlsPassed | undefined, events: ChainEvents): void {
    const info = connectionInfo(accepted, secure);
    const connection = new Connection(socket, this.#tcp?.io ?? this.#io);
    let active: ActiveConnection | undefined;
    let closed = false;
    const onClosed = (): void => {
      closed = true;
      if (active !== undefined) events.onClosed();
    };
    if (this.#tcp !== undefined) {
      const relay = new TcpRelay(connection, this.#tcp, info, accepted.originalDst, onClosed);
      active = { drain: () => undefined, destroy: () => relay.destroy() };
    } else {
      const isTls = this.#tls !== undefined;
      active = new HttpConnection(connection, this.#manager!, {
        info,
        remoteIp: accepted.remote.ip,
        originalDst: accepted.originalDst,
        isTls,
        alpn: alpnOf(socket),
        onInternalError: (thrown) => this.#io.onInternalError(thrown),
        onClosed,
      });
    }
    if (!closed) events.onOpen(active);
  }
}

function alpnOf(socket: Socket | TLSSocket): string {
  const agreed = "alpnProtocol" in socket ? socket.alpnProtocol : undefined;
  return typeof agreed === "string" ? agreed : "";
}

function connectionInfo(accepted: Accepted, secure: TlsPassed | undefined): ConnectionInfo {
  return {
    id: accepted.id,
    remoteAddress: formatAddress(accepted.remote.ip, accepted.remote.port),
    localAddress: formatAddress(accepted.local.ip, accepted.local.port),
    tlsVersion: secure?.socket.getProtocol() ?? "",
    peer: secure?.peer,
    localUri: secure?.localUri ?? "",
    serverName: accepted.serverName,
  };
}
