// Both HTTP/1 codecs joined as a proxy joins them, with nothing in between and no network: bytes in from a client, and
// what an upstream and the client see of it. The upstream answers each whole request.
import { Causes } from "../../src/proxy-runtime/failure/causes.ts";
import { Http1ClientConnection } from "../../src/proxy-runtime/http/http1/client-connection.ts";
import { Http1ServerConnection, type Http1ServerOptions } from "../../src/proxy-runtime/http/http1/server-connection.ts";
import { localReply, sendReply } from "../../src/proxy-runtime/http/local-reply.ts";
import { opensTunnel, type DownstreamStream, type RequestHead, type UpstreamStream } from "../../src/proxy-runtime/http/stream.ts";
import { Timers } from "../../src/proxy-runtime/transport/timers.ts";
import { FedSocket } from "./fed-socket.ts";
import { SERVER_OPTIONS } from "./request-recorder.ts";
import { readRequest } from "./strict-reader.ts";

export const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

export interface BareHopOptions extends Partial<Http1ServerOptions> {
  readonly allowsUpgrades?: boolean;
  /** The upstream's answer to a whole request; by default 200 without a body. */
  readonly answer?: (request: string) => string;
}

interface Upstream {
  readonly socket: FedSocket;
  readonly client: Http1ClientConnection;
  /** Bytes of `socket.written` that were read as requests. */
  read: number;
}

export class BareHop {
  readonly client = new FedSocket();
  readonly server: Http1ServerConnection;
  readonly upstreams: Upstream[] = [];
  /** Whole requests that the upstreams have received, chunks joined. */
  readonly requests: string[] = [];
  /** Why exchanges with upstreams failed. */
  readonly failures: string[] = [];
  readonly #options: BareHopOptions;
  readonly #idle: Upstream[] = [];

  constructor(options: BareHopOptions = {}) {
    this.#options = options;
    this.server = new Http1ServerConnection(
      this.client.connection,
      { ...SERVER_OPTIONS, acceptHttp10: true, ...options },
      {
        onRequest: (stream, head, end) => this.#forward(stream, head, end),
        onBadRequest: (stream, cause, detail) => sendReply(stream, localReply(undefined, cause, cause.flag, "to-anything", detail)),
        onHeadBegun: () => undefined,
        onStreamDone: () => undefined,
        onProtocolError: () => undefined,
        onConnectionClosed: () => undefined,
      },
      new Timers(),
    );
    this.client.connection.start(this.server, true);
  }

  /** Bytes of the client; the upstreams answer what has become whole. */
  feed(bytes: Uint8Array | string): void {
    this.client.feed(bytes);
    while (this.#answer());
  }

  /** What the client has received. */
  get received(): string {
    return this.client.written;
  }

  /** What upstreams have received of requests that are not whole. */
  get unfinished(): string {
    return this.upstreams.map((each) => each.socket.written.slice(each.read)).join("");
  }

  #answer(): boolean {
    for (const upstream of this.upstreams) {
      const request = readRequest(upstream.socket.written.slice(upstream.read));
      if (request === undefined) continue;
      upstream.read += request.text.length;
      this.requests.push(request.joined);
      const answer = this.#options.answer?.(request.joined) ?? OK;
      upstream.socket.feed(answer);
      return true;
    }
    return false;
  }

  #forward(stream: DownstreamStream, head: RequestHead, end: boolean): void {
    if (head.upgrade !== "" && this.#options.allowsUpgrades !== true) {
      const cause = head.upgrade === "connect" ? Causes.connectRefused : Causes.upgradeRefused;
      sendReply(stream, localReply(head, cause, cause.flag, "to-anything", "not allowed here"));
      return;
    }
    const upstream: UpstreamStream = this.#take().client.newStream({
      onInformational: (response) => stream.sendInformational(response),
      onResponseHeaders(response, last) {
        stream.sendHeaders(response, last);
        if (opensTunnel(head.upgrade, response.status)) stream.resumeRequest();
      },
      onResponseData: (chunk, last) => void stream.sendData(chunk, last),
      onResponseTrailers: (trailers) => stream.sendTrailers(trailers),
      onUpstreamReset: (cause, detail) => {
        this.failures.push(detail);
        if (cause.httpStatus > 0) sendReply(stream, localReply(head, cause, cause.flag, "to-anything", detail));
        else stream.reset(cause);
      },
      onUpstreamWritable: () => undefined,
    });
    stream.receiver = {
      onRequestData: (chunk, last) => void upstream.sendData(chunk, last),
      onRequestTrailers: (trailers) => upstream.sendTrailers(trailers),
      onDownstreamReset(cause, detail) {
        upstream.reset();
        if (cause.httpStatus > 0) sendReply(stream, localReply(head, cause, cause.flag, "to-anything", detail));
      },
      onDownstreamWritable: () => undefined,
    };
    if (head.upgrade !== "") stream.pauseRequest();
    upstream.sendHeaders(head, end);
  }

  #take(): Upstream {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const socket = new FedSocket();
    const client = new Http1ClientConnection(
      socket.connection,
      "127.0.0.1:80",
      "",
      {
        onIdle: () => void this.#idle.push(upstream),
        onUnusable: () => {
          const index = this.#idle.indexOf(upstream);
          if (index >= 0) this.#idle.splice(index, 1);
        },
      },
      { maxBytes: 61440, maxHeaders: 100 },
    );
    const upstream: Upstream = { socket, client, read: 0 };
    socket.connection.start(client, true);
    this.upstreams.push(upstream);
    return upstream;
  }
}
