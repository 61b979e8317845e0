// Our client connection without a network, as the one that a script talks to. It is asked for
//   GET /x   HEAD /x   POST /x text   POST /x …  (a body without end)   UPGRADE /x  (to websocket)
// and `reset` gives the last request up. What becomes of each is told: `103` for what comes before, `200 body|trailers` for
// a whole response, `502 UPE` for what a failure stands for, `cut` for a response that breaks off.
import { DEFAULT_HTTP2, type Http2Config } from "../../../src/proxy-runtime/config/http2-config.ts";
import type { HeaderList } from "../../../src/proxy-runtime/http/header-list.ts";
import { Http2ClientConnection } from "../../../src/proxy-runtime/http/http2/client-connection.ts";
import type { Http2ClientStream } from "../../../src/proxy-runtime/http/http2/client-stream.ts";
import { Http2Stats } from "../../../src/proxy-runtime/http/http2/http2-stats.ts";
import { opensTunnel, type ResponseReceiver } from "../../../src/proxy-runtime/http/stream.ts";
import type { Counter } from "../../../src/proxy-runtime/telemetry/stats-store.ts";
import { Timers } from "../../../src/proxy-runtime/transport/timers.ts";
import { FedSocket } from "../fed-socket.ts";
import { requestHead } from "../request-head.ts";
import { FrameLines } from "./frame-lines.ts";
import type { ScriptPeer } from "./script.ts";
import { withoutOpening } from "./server-under-test.ts";

export const SHOWN_REQUEST_FIELDS = new Set([":method", ":path", ":protocol"]);

export interface ClientUnderTestOptions {
  readonly config?: Partial<Http2Config>;
  readonly isMesh?: boolean;
  readonly limits?: { readonly maxBytes: number; readonly maxHeaders: number };
  readonly timers?: Timers;
  readonly showsOpening?: boolean;
}

export class ClientUnderTest implements ScriptPeer {
  readonly socket = new FedSocket();
  readonly client: Http2ClientConnection;
  readonly told: string[] = [];
  /** What the pool hears: `capacity`, `unusable`, `protocol error`, `gone`. */
  readonly owner: string[] = [];
  readonly counted: string[] = [];
  readonly streams: Http2ClientStream[] = [];
  readonly #showsOpening: boolean;
  readonly #frames: FrameLines;
  #read = 0;

  constructor({ config = {}, isMesh = false, limits, timers = new Timers(), showsOpening = false }: ClientUnderTestOptions = {}) {
    this.#showsOpening = showsOpening;
    this.#frames = new FrameLines({ isMesh, isFromClient: true, showsField: (name) => SHOWN_REQUEST_FIELDS.has(name) });
    const stats = new Http2Stats((name) => ({ inc: () => void this.counted.push(name) }) as unknown as Counter);
    const options = { config: { ...DEFAULT_HTTP2, ...config }, limits: limits ?? { maxBytes: 61440, maxHeaders: 100 }, isMesh, stats };
    const note = (event: string) => (): void => void this.owner.push(event);
    this.client = new Http2ClientConnection(
      this.socket.connection,
      { remoteAddress: "127.0.0.1:80", peerUri: "", ownExpiryMs: undefined },
      options,
      { onCapacity: note("capacity"), onUnusable: note("unusable"), onProtocolError: note("protocol error"), onGone: note("gone") },
      timers,
    );
    this.socket.connection.start(this.client, true);
  }

  get lines(): readonly string[] {
    const { written } = this.socket;
    this.#frames.push(Buffer.from(written.slice(this.#read), "latin1"));
    this.#read = written.length;
    return this.#showsOpening ? this.#frames.lines : withoutOpening(this.#frames.lines.slice(1));
  }

  get isClosed(): boolean {
    return this.socket.isEnded;
  }

  write(bytes: Buffer): Promise<void> {
    this.socket.feed(bytes);
    return Promise.resolve();
  }

  async until(): Promise<void> {
    // What is decided behind the caller's back is decided in microtasks.
    await Promise.resolve();
  }

  ask(request: string): void {
    if (request === "reset") return this.streams.at(-1)!.reset();
    const [verb, path, body] = request.split(" ") as [string, string, string | undefined];
    const upgrade = verb === "UPGRADE" ? "websocket" : "";
    const method = verb === "UPGRADE" ? "GET" : verb;
    const stream = this.client.newStream(receiver(this.told, upgrade));
    this.streams.push(stream);
    stream.sendHeaders(requestHead({ method, path, upgrade, protocol: "HTTP/2" }), body === undefined && upgrade === "");
    if (body !== undefined && body !== "…") stream.sendData(contentOf(body), true);
  }
}

/** `5000` stands for so many bytes. */
export function contentOf(body: string): Buffer {
  return /^\d+$/.test(body) ? Buffer.alloc(Number(body), "x") : Buffer.from(body);
}

function receiver(told: string[], upgrade: string): ResponseReceiver {
  let status = 0;
  let text = "";
  const end = (more = ""): void => void told.push(`${status} ${text.length > 60 ? `${text.length} bytes` : text}${more}`);
  return {
    onInformational: (head) => void told.push(String(head.status)),
    onResponseHeaders(head, last) {
      ({ status } = head);
      if (opensTunnel(upgrade, status)) told.push(`${status} tunnel`);
      else if (last) end();
    },
    onResponseData(chunk, last) {
      text += Buffer.from(chunk).latin1Slice();
      if (last) end();
    },
    onResponseTrailers: (trailers: HeaderList) => end(`|${trailers.toFlat().join()}`),
    onUpstreamReset: (cause) => void told.push(status > 0 ? "cut" : `${cause.httpStatus} ${cause.flag}`),
    onUpstreamWritable: () => undefined,
  };
}
