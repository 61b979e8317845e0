// One HTTP/2 connection of a gRPC channel: TCP or TLS with ALPN h2, connect timeout, PING keepalive while calls run.
import { formatAddress } from "../common/address.ts";
import { connect as connectHttp2 } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { connect as connectTcp, isIP } from "node:net";
import { checkServerIdentity, connect as connectTls } from "node:tls";
import type { Socket } from "node:net";

export interface GrpcTls {
  /** Trusted roots, PEM, one or several. */
  readonly roots: string;
  /** Name (or address) that the server's certificate must carry; a name is sent as SNI too. */
  readonly servername: string;
  /** Own certificate chain and key, PEM, for servers that ask for one. */
  readonly cert?: string;
  readonly key?: string;
}

export interface GrpcKeepalive {
  /** Time between PINGs while a call runs. */
  readonly intervalMs: number;
  /** How long an answer may take before the connection counts as dead. */
  readonly timeoutMs: number;
}

export interface GrpcAddress {
  readonly host: string;
  readonly port: number;
  /** Address of this machine that a connection without TLS comes from. */
  readonly localAddress?: string;
}

export interface GrpcConnectionOptions {
  readonly address: GrpcAddress;
  readonly tls: GrpcTls | undefined;
  readonly keepalive: GrpcKeepalive;
  readonly connectTimeoutMs: number;
}

// A control plane's answer may be many MB; the default windows of 64 kB would make it a round trip per 64 kB.
const WINDOW_BYTES = 1 << 20;
const MAX_SESSION_MEMORY_MB = 64;

function openSocket({ address, tls }: GrpcConnectionOptions): Socket {
  const { host, port, localAddress } = address;
  if (tls === undefined) return connectTcp({ host, port, localAddress });
  return connectTls({
    host,
    port,
    ca: tls.roots,
    cert: tls.cert,
    key: tls.key,
    // RFC 6066 §3: no address literals in SNI; what the certificate must carry is checked all the same.
    servername: isIP(tls.servername) === 0 ? tls.servername : "",
    checkServerIdentity: (_name, certificate) => checkServerIdentity(tls.servername, certificate),
    ALPNProtocols: ["h2"],
  });
}

export class GrpcConnection {
  readonly session: ClientHttp2Session;
  readonly #address: string;
  readonly #keepalive: GrpcKeepalive;
  readonly #onFailed: () => void;
  #failure: string | undefined;
  #activeCalls = 0;
  #connectTimer: NodeJS.Timeout | undefined;
  #pingTimer: NodeJS.Timeout | undefined;

  /** @param onFailed the connection failed. May come more than once. */
  constructor(options: GrpcConnectionOptions, onFailed: () => void) {
    const { host, port } = options.address;
    this.#address = formatAddress(host, port);
    this.#keepalive = options.keepalive;
    this.#onFailed = onFailed;
    const socket = openSocket(options);
    // Before the session's own listeners: its calls close, and ask why, before its "error" and "close" come.
    socket.on("error", (error) => this.#lost(describe(error)));
    socket.on("close", () => this.#lost("connection closed by the peer"));
    this.session = connectHttp2(`${options.tls === undefined ? "http" : "https"}://${this.#address}`, {
      createConnection: () => socket,
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
    });
    this.#connectTimer = setTimeout(() => this.#fail(`connect timed out after ${options.connectTimeoutMs} ms`), options.connectTimeoutMs);
    this.session.on("connect", () => {
      clearTimeout(this.#connectTimer);
      this.session.setLocalWindowSize(WINDOW_BYTES);
    });
    this.session.on("goaway", (code) => {
      // On NO_ERROR Node only closes the session for new calls (`closed`), and running ones go on.
      if (code !== 0) this.#lost(`peer sent GOAWAY with HTTP/2 error code ${code}`);
    });
    this.session.on("error", (error: Error) => this.#fail(describe(error)));
    this.session.on("close", () => this.#fail("connection closed by the peer"));
  }

  /** Why the connection is gone; undefined while it lives. */
  get failure(): string | undefined {
    return this.#failure;
  }

  callStarted(): void {
    if (this.#activeCalls++ === 0) this.#pingTimer = setInterval(() => this.#ping(), this.#keepalive.intervalMs);
  }

  callEnded(): void {
    if (--this.#activeCalls === 0) clearInterval(this.#pingTimer);
  }

  /** Ends the connection and every call on it. */
  close(): void {
    this.#fail("closed by this side");
  }

  #ping(): void {
    const { timeoutMs } = this.#keepalive;
    const timer = setTimeout(() => this.#fail(`no answer to a keepalive PING within ${timeoutMs} ms`), timeoutMs);
    const isSent = this.session.ping((error) => {
      clearTimeout(timer);
      if (error !== null) this.#fail(describe(error));
    });
    // Node refuses while too many are under way; the timers of those decide.
    if (!isSent) clearTimeout(timer);
  }

  #lost(reason: string): void {
    this.#failure ??= `${this.#address}: ${reason}`;
    clearTimeout(this.#connectTimer);
    clearInterval(this.#pingTimer);
    this.#onFailed();
  }

  #fail(reason: string): void {
    this.#lost(reason);
    if (!this.session.destroyed) this.session.destroy();
  }
}

/** Addresses of one name that all failed come as an AggregateError without a message of its own. */
function describe(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((each) => describe(each as Error)).join(", ");
  return error.message;
}
