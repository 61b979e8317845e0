// Opens a port for admin, probes or scrapers on node:net. node:http costs 3 MB: it is loaded with whatever answers when
// the first connection comes, and gets that connection handed over, so an idle sidecar nobody asks doesn't pay for it.
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Server as HttpServer } from "node:http";
import { formatAddress } from "../../common/address.ts";
import { UserError } from "../../common/user-error.ts";

const MAX_CONNECTIONS = 256;

export interface ListeningPort {
  readonly port: number;
  /** Closes the port and every connection to it. */
  stop(): Promise<void>;
}

export interface PortPurpose {
  /** For messages: `admin`. */
  readonly what: string;
  /** How to choose another port: `use --admin-port`. */
  readonly remedy: string;
}

/** @throws UserError where the address is taken or can't be had. */
export function listenTcp(
  host: string,
  port: number,
  { what, remedy }: PortPurpose,
  onConnection: (socket: Socket) => void,
): Promise<ListeningPort> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A peer that goes away while it is answered is its own business.
    socket.on("error", () => socket.destroy());
    onConnection(socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    // Stays when the port is open: a failing accept must not end the process.
    server.on("error", (error: NodeJS.ErrnoException) => reject(portError(error, host, port, what, remedy)));
    // ipv6Only: 0.0.0.0 and :: are opened one by one, whatever the kernel's default for dual stack sockets is.
    server.listen({ host, port, ipv6Only: host.includes(":") }, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        stop: () =>
          new Promise((stopped) => {
            server.close(() => stopped());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}

/** A port whose connections are answered by an HTTP server that `load` makes when it is first needed. */
export function listenHttp(host: string, port: number, purpose: PortPurpose, load: () => Promise<HttpServer>): Promise<ListeningPort> {
  let loading: Promise<HttpServer> | undefined;
  return listenTcp(host, port, purpose, (socket) => {
    loading ??= load();
    loading.then(
      (server) => server.emit("connection", socket),
      () => socket.destroy(),
    );
  });
}

function portError(error: NodeJS.ErrnoException, host: string, port: number, what: string, remedy: string): UserError {
  const address = formatAddress(host, port);
  switch (error.code) {
    case "EADDRINUSE":
      return new UserError(
        `${what} port ${address} is in use by another process`,
        `${remedy}, or stop what listens there (ss -ltnp 'sport = :${port}' shows it)`,
      );
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
      return new MissingAddress(`${what} port ${address} can't be opened: this machine has no such address`, remedy);
    case "EACCES":
      return new UserError(`${what} port ${address} may not be opened by this user`, `${remedy}: ports below 1024 need privileges`);
    default:
      return new UserError(`${what} port ${address} can't be opened: ${error.message}`, remedy);
  }
}

/**
 * The same port on several addresses; with port 0 all share the one that the first got. An address family that the
 * machine lacks (`::` without IPv6) is left out, as long as another address can be had.
 *
 * @throws UserError where a port can't be had; then nothing is left open.
 */
export async function listenOnAll(
  hosts: readonly string[],
  port: number,
  open: (host: string, port: number) => Promise<ListeningPort>,
): Promise<ListeningPort> {
  const listening: ListeningPort[] = [];
  let missing: unknown;
  try {
    for (const host of hosts) {
      try {
        listening.push(await open(host, listening[0]?.port ?? port));
      } catch (error) {
        if (!(error instanceof MissingAddress)) throw error;
        missing ??= error;
      }
    }
    if (listening[0] === undefined) throw missing;
  } catch (error) {
    await Promise.all(listening.map((each) => each.stop()));
    throw error;
  }
  return {
    port: listening[0].port,
    async stop() {
      await Promise.all(listening.map((each) => each.stop()));
    },
  };
}

class MissingAddress extends UserError {}
