// One end of a TCP or TLS connection for tests: writes literal bytes, keeps what arrives, and can be waited for.
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer, type ConnectionOptions, type TLSSocket, type TlsOptions } from "node:tls";

const WAIT_MS = 5000;

export class RawPeer {
  readonly socket: Socket;
  /** Everything received so far, as latin1. */
  text = "";
  /** The other side sent FIN. */
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | undefined;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.#note(() => (this.text += chunk.toString("latin1"))));
    socket.on("end", () => this.#note(() => (this.ended = true)));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#note(() => (this.error = error)));
    socket.on("close", () => this.#note(() => (this.closed = true)));
  }

  #note(change: () => void): void {
    change();
    for (const each of this.#waiting.splice(0)) each();
  }

  write(text: string | Uint8Array): this {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
    return this;
  }

  /** Sends FIN; reading goes on. */
  end(text = ""): this {
    this.socket.end(text, "latin1");
    return this;
  }

  /** Resolves when the predicate holds after something happened. @throws Error with what was received, after 5 s. */
  async until(predicate: (peer: this) => boolean, what = "the expected"): Promise<this> {
    const deadline = performance.now() + WAIT_MS;
    while (!predicate(this)) {
      const left = deadline - performance.now();
      if (left <= 0)
        throw new Error(
          `no ${what} within ${WAIT_MS} ms; got ${this.closed ? "close after " : ""}${JSON.stringify(this.text.slice(-2000))}`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this;
  }

  /** Resolves to everything received once it holds `part`. */
  async receives(part: string): Promise<string> {
    await this.until((peer) => peer.text.includes(part), JSON.stringify(part));
    return this.text;
  }

  /** Resolves to everything received once the connection has ended or closed. */
  async untilEnd(): Promise<string> {
    await this.until((peer) => peer.ended || peer.closed, "end");
    return this.text;
  }

  /** Forgets what was received. */
  clear(): this {
    this.text = "";
    return this;
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Closes with RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}

export async function connectRaw(port: number, host = "127.0.0.1"): Promise<RawPeer> {
  const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
  const peer = new RawPeer(socket);
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return peer;
}

/** Resolves after the handshake, also when the other side refuses the client afterwards (TLS 1.3). */
export async function connectRawTls(port: number, options: ConnectionOptions): Promise<RawPeer & { readonly socket: TLSSocket }> {
  const socket = connectTls({
    port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    allowHalfOpen: true,
    servername: "",
    ...options,
  } as ConnectionOptions);
  const peer = new RawPeer(socket);
  await new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  return peer as RawPeer & { readonly socket: TLSSocket };
}

export interface RawServer {
  readonly port: number;
  /** Connections accepted so far, in order. */
  readonly peers: readonly RawPeer[];
  /** The connection of this number, once it is there. */
  peer(index: number): Promise<RawPeer>;
  stop(): Promise<void>;
}

/** A server whose connections are told what to do by `script`, or by the test through `peers`. */
export function startRawServer(script: (peer: RawPeer, index: number) => void = () => undefined): Promise<RawServer> {
  return listen(createServer({ noDelay: true, allowHalfOpen: true }), "connection", script);
}

export function startRawTlsServer(
  options: TlsOptions,
  script: (peer: RawPeer, index: number) => void = () => undefined,
): Promise<RawServer> {
  return listen(createTlsServer({ allowHalfOpen: true, ...options }), "secureConnection", script);
}

async function listen(server: Server, event: string, script: (peer: RawPeer, index: number) => void): Promise<RawServer> {
  const peers: RawPeer[] = [];
  let waiting: (() => void)[] = [];
  server.on(event, (socket: Socket) => {
    const peer = new RawPeer(socket);
    peers.push(peer);
    script(peer, peers.length - 1);
    for (const each of waiting) each();
    waiting = [];
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    peers,
    async peer(index) {
      const deadline = performance.now() + WAIT_MS;
      while (peers[index] === undefined) {
        if (performance.now() > deadline) throw new Error(`no connection ${index} within ${WAIT_MS} ms`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 100);
          waiting.push(() => {
            clearTimeout(timer);
            resolve();
          });
        });
      }
      return peers[index];
    },
    async stop() {
      for (const peer of peers) peer.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** A server that answers each whole request head (bodies by content-length are read) with what `respond` returns. */
export function startHttpPeer(respond: (request: string, index: number) => string): Promise<RawServer> {
  let count = 0;
  return startRawServer((peer) => {
    peer.socket.on("data", () => {
      for (;;) {
        const end = peer.text.indexOf("\r\n\r\n");
        if (end < 0) return;
        const length = Number(/^content-length: *(\d+)/im.exec(peer.text.slice(0, end + 2))?.[1] ?? 0);
        if (peer.text.length < end + 4 + length) return;
        const request = peer.text.slice(0, end + 4 + length);
        peer.text = peer.text.slice(request.length);
        const answer = respond(request, count++);
        if (answer !== "") peer.write(answer);
      }
    });
  });
}

/** `HTTP/1.1 200 OK` with content-length and the body. */
export function ok(body: string, headers = ""): string {
  return `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`;
}
