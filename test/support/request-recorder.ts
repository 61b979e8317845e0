// A server connection whose requests are written down and answered with 200 as soon as they are whole.
import { Http1ServerConnection, type Http1ServerOptions } from "../../src/proxy-runtime/http/http1/server-connection.ts";
import { HeaderList } from "../../src/proxy-runtime/http/header-list.ts";
import { localReply, sendReply } from "../../src/proxy-runtime/http/local-reply.ts";
import type { DownstreamStream, RequestHead } from "../../src/proxy-runtime/http/stream.ts";
import { Timers } from "../../src/proxy-runtime/transport/timers.ts";
import { FedSocket } from "./fed-socket.ts";

export const SERVER_OPTIONS: Http1ServerOptions = {
  acceptHttp10: false,
  defaultHostForHttp10: "",
  allowChunkedLength: false,
  scheme: "http",
  limits: { maxBytes: 61440, maxHeaders: 100 },
  delayedCloseTimeoutMs: 1000,
};

export interface Recorded {
  readonly socket: FedSocket;
  readonly server: Http1ServerConnection;
  /** `METHOD path authority body|trailers` of whole requests, `STATUS detail` of refused ones. */
  readonly log: string[];
  readonly heads: RequestHead[];
}

export function recordRequests(options: Partial<Http1ServerOptions> = {}, respond: (stream: DownstreamStream) => void = answer): Recorded {
  const log: string[] = [];
  const heads: RequestHead[] = [];
  const socket = new FedSocket();
  const server = new Http1ServerConnection(
    socket.connection,
    { ...SERVER_OPTIONS, ...options },
    {
      onRequest(stream, head, end) {
        heads.push(head);
        let body = "";
        const whole = (trailers: string): void => {
          log.push(`${head.method} ${head.path} ${head.authority} ${body}${trailers}`);
          respond(stream);
        };
        stream.receiver = {
          onRequestData(chunk, last) {
            body += Buffer.from(chunk).latin1Slice();
            if (last) whole("");
          },
          onRequestTrailers(trailers) {
            const flat = trailers.toFlat();
            whole(
              `|${flat
                .map((each, index) => (index % 2 === 0 ? `${each}: ` : `${each},`))
                .join("")
                .slice(0, -1)}`,
            );
          },
          onDownstreamReset(cause, detail) {
            log.push(`${cause.httpStatus} ${detail}`);
            if (cause.httpStatus > 0) sendReply(stream, localReply(head, cause, cause.flag, "to-anything", detail));
          },
          onDownstreamWritable: () => undefined,
        };
        if (end) whole("");
      },
      onBadRequest(stream, cause, detail) {
        log.push(`${cause.httpStatus} ${detail}`);
        sendReply(stream, localReply(undefined, cause, cause.flag, "to-anything", detail));
      },
      onHeadBegun: () => undefined,
      onStreamDone: () => undefined,
      onProtocolError: () => undefined,
      onConnectionClosed: () => undefined,
    },
    new Timers(),
  );
  socket.connection.start(server, true);
  return { socket, server, log, heads };
}

function answer(stream: DownstreamStream): void {
  stream.sendHeaders({ status: 200, reason: "", headers: HeaderList.of(["content-length", "0"]), contentLength: 0, headBytes: 19 }, true);
}
