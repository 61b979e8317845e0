// Our server connection without a network, as the one that a script talks to. Requests are answered by their path:
//   /wait never   /early with the head, 200 "ok"   /big when whole, 200 and 100,000 bytes   else when whole, 200 "ok"
import { DEFAULT_HTTP2, type Http2Config } from "../../../src/proxy-runtime/config/http2-config.ts";
import { HeaderList } from "../../../src/proxy-runtime/http/header-list.ts";
import { Http2ServerConnection } from "../../../src/proxy-runtime/http/http2/server-connection.ts";
import { Http2Stats } from "../../../src/proxy-runtime/http/http2/http2-stats.ts";
import type { Counter } from "../../../src/proxy-runtime/telemetry/stats-store.ts";
import { localReply, sendReply } from "../../../src/proxy-runtime/http/local-reply.ts";
import type { ServerConnectionOwner } from "../../../src/proxy-runtime/http/server-codec.ts";
import { opensTunnel, type DownstreamStream, type RequestHead } from "../../../src/proxy-runtime/http/stream.ts";
import { Timers } from "../../../src/proxy-runtime/transport/timers.ts";
import { FedSocket } from "../fed-socket.ts";
import { FrameLines } from "./frame-lines.ts";
import type { ScriptPeer } from "./script.ts";

export const BIG_BYTES = 100_000;

export interface ServerUnderTestOptions {
  readonly config?: Partial<Http2Config>;
  readonly isMesh?: boolean;
  readonly limits?: { readonly maxBytes: number; readonly maxHeaders: number };
  readonly timers?: Timers;
  /** The lines hold what each connection begins with, too. */
  readonly showsOpening?: boolean;
  /** In place of the answer by path. */
  readonly onRequest?: ServerConnectionOwner["onRequest"];
}

export class ServerUnderTest implements ScriptPeer, ServerConnectionOwner {
  readonly socket = new FedSocket();
  readonly server: Http2ServerConnection;
  readonly told: string[] = [];
  readonly heads: RequestHead[] = [];
  /** `closed`, `protocol error …`, `done` for each stream. */
  readonly events: string[] = [];
  readonly counted: string[] = [];
  readonly stats = new Http2Stats((name) => ({ inc: () => void this.counted.push(name) }) as unknown as Counter);
  readonly frames: FrameLines;
  readonly #options: ServerUnderTestOptions;
  #read = 0;

  constructor(options: ServerUnderTestOptions = {}) {
    this.#options = options;
    const { config = {}, isMesh = false, limits = { maxBytes: 61440, maxHeaders: 100 }, timers = new Timers() } = options;
    this.frames = new FrameLines({ isMesh, showsField: (name) => name === ":status" || !STANDARD.has(name) });
    this.server = new Http2ServerConnection(
      this.socket.connection,
      {
        config: { ...DEFAULT_HTTP2, ...config },
        stats: this.stats,
        limits,
        isMesh,
        delayedCloseTimeoutMs: 1000,
        drainTimeoutMs: 5000,
        streamIdleTimeoutMs: 0,
      },
      this,
      timers,
    );
    this.socket.connection.start(this.server, true);
  }

  get lines(): readonly string[] {
    const { written } = this.socket;
    this.frames.push(Buffer.from(written.slice(this.#read), "latin1"));
    this.#read = written.length;
    return this.#options.showsOpening === true ? this.frames.lines : withoutOpening(this.frames.lines);
  }

  get isClosed(): boolean {
    return this.socket.isEnded;
  }

  write(bytes: Buffer): Promise<void> {
    this.socket.feed(bytes);
    return Promise.resolve();
  }

  ask(request: string): void {
    throw new Error(`a server is not asked: ${request}`);
  }

  until(): Promise<void> {
    return Promise.resolve();
  }

  onRequest(stream: DownstreamStream, head: RequestHead, end: boolean): void {
    this.heads.push(head);
    if (this.#options.onRequest !== undefined) return this.#options.onRequest(stream, head, end);
    let body = "";
    const whole = (trailers: string): void => {
      this.told.push(`${head.method} ${head.path} ${body}${trailers}`);
      if (head.upgrade === "" && head.path !== "/wait" && head.path !== "/early") answer(stream, head.path);
    };
    stream.receiver = {
      onRequestData: (chunk, last) => {
        body += Buffer.from(chunk).latin1Slice();
        if (last) whole("");
      },
      onRequestTrailers: (trailers) => whole(`|${trailers.toFlat().join()}`),
      onDownstreamReset: (cause, detail) => {
        this.events.push(`${cause.name} ${detail}`);
        if (cause.httpStatus > 0) sendReply(stream, localReply(head, cause, cause.flag, "to-anything", detail));
      },
      onDownstreamWritable: () => undefined,
    };
    if (head.path === "/early") answer(stream, head.path);
    if (head.upgrade !== "") this.#onUpgrade(stream, head);
    else if (end) whole("");
  }

  #onUpgrade(stream: DownstreamStream, head: RequestHead): void {
    this.told.push(`${head.upgrade} ${head.authority}${head.path}`);
    const status = head.upgrade === "connect" ? 200 : 101;
    if (head.path !== "/wait" && opensTunnel(head.upgrade, status))
      stream.sendHeaders({ status, reason: "", headers: new HeaderList(), contentLength: -1, headBytes: 1 }, false);
  }

  onBadRequest(stream: DownstreamStream, cause: Parameters<ServerConnectionOwner["onBadRequest"]>[1], detail: string): void {
    this.events.push(`${cause.name} ${detail}`);
    sendReply(stream, localReply(undefined, cause, cause.flag, "to-anything", detail));
  }

  onHeadBegun(): void {
    this.events.push("head begun");
  }

  onStreamDone(): void {
    this.events.push("done");
  }

  onProtocolError(detail: string): void {
    this.events.push(`protocol error: ${detail}`);
  }

  onConnectionClosed(): void {
    this.events.push("closed");
  }
}

// Headers that a proxy's response has beside those of an upstream.
const STANDARD = new Set(["date", "server", "content-length", "content-type", "x-envoy-upstream-service-time", "x-mesh-error"]);

/** What a server answers a request with this path. */
export function answer(stream: DownstreamStream, path: string): void {
  const body = Buffer.alloc(path === "/big" ? BIG_BYTES : 2, path === "/big" ? "x" : "ok");
  const headers = HeaderList.of(["content-length", String(body.length)]);
  stream.sendHeaders({ status: 200, reason: "", headers, contentLength: body.length, headBytes: 19 }, false);
  stream.sendData(body, true);
}

/** Without the SETTINGS, the connection's window and the acknowledgement that each connection begins with. */
export function withoutOpening(lines: readonly string[]): readonly string[] {
  const rest = lines.slice(lines[1]?.startsWith("WINDOW_UPDATE(0, ") === true ? 2 : 1);
  const ack = rest.indexOf("SETTINGS(ACK)");
  return ack < 0 ? rest : rest.toSpliced(ack, 1);
}
