// The sidecar's DNS on 15053, over UDP and TCP: iptables brings it what the application asks of port 53.
import { createSocket } from "node:dgram";
import type { Socket as UdpSocket } from "node:dgram";
import { createServer, isIPv6 } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { formatHostPort } from "../../common/address.ts";
import type { HostPort } from "../../common/address.ts";
import { UserError } from "../../common/user-error.ts";
import type { StatsStore } from "../telemetry/stats-store.ts";
import { udpLimit } from "./answer-message.ts";
import { Forwarder } from "./forwarder.ts";
import { DnsStats, Responder } from "./responder.ts";
import { frame, MessageReader } from "./tcp-framing.ts";

const TCP_IDLE_MS = 10_000;
const MAX_TCP_CONNECTIONS = 256;
const MAX_TCP_BYTES = 0xffff;
// Answers that a client has not read, or asked for without reading: then it is not worth an answer.
const MAX_UNREAD_BYTES = 1024 * 1024;
const MAX_PIPELINED = 256;
const CHOSEN_PORT_ATTEMPTS = 5;

export interface DnsOptions {
  /** An IPv6 address that the machine doesn't have is left out, as long as another one can be had. Port 0: any, the same for all. */
  readonly addresses: readonly HostPort[];
  /** Of the current configuration: lower case, without last dots. */
  readonly names: () => ReadonlyMap<string, readonly string[]>;
  readonly namespace: string;
  readonly clusterDomain: string;
  /** Who is asked for other names; `none`: they don't exist. */
  readonly upstream: "none" | readonly HostPort[];
  readonly stats: StatsStore;
}

export interface DnsServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** @throws UserError where a port can't be had; then nothing is left open. */
export async function startDns({ addresses, names, namespace, clusterDomain, upstream, stats }: DnsOptions): Promise<DnsServer> {
  const open: Endpoint[] = [];
  // Filled in below: an upstream that is ourselves must not be asked.
  const isSelf = (server: HostPort): boolean => open.some(({ host, port }) => host === server.host && port === server.port);
  const missing: UserError[] = [];
  let port = 0;
  try {
    for (const address of addresses) {
      const endpoint = await openEndpoint({ host: address.host, port: address.port || port });
      if (endpoint instanceof UserError) missing.push(endpoint);
      else open.push(endpoint);
      port = open[0]?.port ?? 0;
    }
    if (open.length === 0) throw missing[0] ?? new UserError("dns: no address to listen on");
  } catch (error) {
    await Promise.all(open.map(closeEndpoint));
    throw error;
  }
  const servers = upstream === "none" ? [] : upstream.filter((server) => !isSelf(server));
  // Servers that turn out to be none still make a forwarder: it fails, where `none` says that there is no such name.
  const forwarder = upstream === "none" ? undefined : new Forwarder(servers);
  const responder = new Responder(names, { namespace, clusterDomain }, forwarder, new DnsStats(stats));
  for (const endpoint of open) {
    endpoint.udp.on("message", (message, from) => serveUdp(endpoint.udp, responder, forwarder, message, from));
    endpoint.onTcp = (socket) => serveTcp(socket, responder);
  }
  return {
    port,
    async stop() {
      await Promise.all(open.map(closeEndpoint));
    },
  };
}

function serveUdp(
  udp: UdpSocket,
  responder: Responder,
  forwarder: Forwarder | undefined,
  message: Buffer,
  from: { address: string; port: number },
): void {
  // Our own question, redirected back to us: an answer would be a question again.
  if (forwarder?.isOwnPort(from.port) === true) return;
  const answer = responder.respond(message, udpLimit);
  const send = (bytes: Buffer): void => {
    // The client may be gone; a closed socket throws.
    try {
      udp.send(bytes, from.port, from.address, () => {});
    } catch {
      return;
    }
  };
  if (answer instanceof Promise) void answer.then(send);
  else if (answer !== undefined) send(answer);
}

function serveTcp(socket: Socket, responder: Responder): void {
  let pipelined = 0;
  let ended = false;
  const send = (bytes: Buffer | undefined): void => {
    if (bytes !== undefined && socket.writable) socket.write(frame(bytes));
    // A client may say that it has no more questions before it has its answers.
    if (ended && pipelined === 0) socket.end();
  };
  const reader = new MessageReader((message) => {
    if (pipelined >= MAX_PIPELINED || socket.writableLength > MAX_UNREAD_BYTES) return void socket.destroy();
    const answer = responder.respond(message, () => MAX_TCP_BYTES);
    if (!(answer instanceof Promise)) return send(answer);
    // Answers may overtake each other: RFC 7766 §6.2.1.1.
    pipelined++;
    void answer.then((bytes) => {
      pipelined--;
      send(bytes);
    });
  });
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => reader.push(chunk));
  socket.on("end", () => {
    ended = true;
    send(undefined);
  });
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly udp: UdpSocket;
  readonly tcp: Server;
  readonly sockets: Set<Socket>;
  onTcp: (socket: Socket) => void;
}

/** UDP and TCP on one address; an answer instead of a throw where the machine has no such address. */
async function openEndpoint({ host, port }: HostPort): Promise<Endpoint | UserError> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await bindBoth(host, port);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      // The port that the kernel chose for TCP may be taken for UDP.
      if (port === 0 && code === "EADDRINUSE" && attempt < CHOSEN_PORT_ATTEMPTS) continue;
      return portError(error as NodeJS.ErrnoException, { host, port });
    }
  }
}

async function bindBoth(host: string, port: number): Promise<Endpoint> {
  const sockets = new Set<Socket>();
  const tcp = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    endpoint.onTcp(socket);
  });
  tcp.maxConnections = MAX_TCP_CONNECTIONS;
  const udp = createSocket({ type: isIPv6(host) ? "udp6" : "udp4", ipv6Only: isIPv6(host) });
  try {
    await new Promise<void>((resolve, reject) => tcp.on("error", reject).listen({ host, port, ipv6Only: isIPv6(host) }, resolve));
    const chosen = (tcp.address() as AddressInfo).port;
    await new Promise<void>((resolve, reject) => udp.once("error", reject).bind(chosen, host, resolve));
  } catch (error) {
    tcp.close();
    udp.close();
    throw error;
  }
  // A client that is gone by ICMP is not our failure.
  udp.removeAllListeners("error").on("error", () => {});
  const endpoint: Endpoint = { host, port: udp.address().port, udp, tcp, sockets, onTcp: (socket) => socket.destroy() };
  return endpoint;
}

function portError(error: NodeJS.ErrnoException, address: HostPort): UserError {
  const at = formatHostPort(address);
  if (error.code === "EADDRNOTAVAIL" || error.code === "EAFNOSUPPORT")
    return new UserError(`dns: this machine has no address ${address.host}`);
  if (error.code === "EADDRINUSE") {
    throw new UserError(
      `dns port ${at} is in use by another process`,
      `stop what listens there (ss -lntup 'sport = :${address.port}' shows it)`,
    );
  }
  throw new UserError(`dns port ${at} can't be opened: ${error.message}`);
}

function closeEndpoint({ udp, tcp, sockets }: Endpoint): Promise<void> {
  return new Promise((resolve) => {
    udp.close(() => tcp.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
  });
}
