// A client connection that carries one request after the other, with what came of each written down.
import { Http1ClientConnection } from "../../src/proxy-runtime/http/http1/client-connection.ts";
import type { Http1ClientStream } from "../../src/proxy-runtime/http/http1/client-stream.ts";
import type { ResponseReceiver } from "../../src/proxy-runtime/http/stream.ts";
import { FedSocket } from "./fed-socket.ts";
import { requestHead } from "./request-head.ts";

export interface ResponseRecorder {
  readonly socket: FedSocket;
  readonly client: Http1ClientConnection;
  /** `103 …`, `200 body|trailers`, `reset NAME detail`. */
  readonly log: string[];
  /** `idle` and `unusable` as the pool hears them. */
  readonly owner: string[];
  send(method: string, body?: boolean): Http1ClientStream;
}

export function recordResponses(): ResponseRecorder {
  const log: string[] = [];
  const owner: string[] = [];
  const socket = new FedSocket();
  const client = new Http1ClientConnection(
    socket.connection,
    "127.0.0.1:80",
    "",
    {
      onIdle: () => void owner.push("idle"),
      onUnusable: () => void owner.push("unusable"),
    },
    { maxBytes: 61440, maxHeaders: 100 },
  );
  socket.connection.start(client, true);
  return {
    socket,
    client,
    log,
    owner,
    send(method, body = false) {
      let status = 0;
      let text = "";
      const receiver: ResponseReceiver = {
        onInformational: (head) => void log.push(`${head.status} ${head.headers.toFlat().join()}`),
        onResponseHeaders(head, end) {
          status = head.status;
          if (end) log.push(`${status} `);
        },
        onResponseData(chunk, end) {
          text += Buffer.from(chunk).latin1Slice();
          if (end) log.push(`${status} ${text}`);
        },
        onResponseTrailers: (trailers) => void log.push(`${status} ${text}|${trailers.toFlat().join()}`),
        onUpstreamReset: (cause, detail) => void log.push(`reset ${cause.name} ${detail}`),
        onUpstreamWritable: () => undefined,
      };
      const stream = client.newStream(receiver);
      stream.sendHeaders(requestHead({ method, headers: ["Host", "a"] }), !body);
      return stream;
    },
  };
}
