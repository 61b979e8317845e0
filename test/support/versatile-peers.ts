// A server and a client that speak HTTP/1.1 or HTTP/2, Node's own, and tell exchanges in one way whatever the version.
import {
  createServer as createHttp1,
  request as request1,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import { connect as connect2, createServer as createHttp2, type ClientHttp2Stream, type Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import { finished } from "node:stream/promises";

export type Version = "HTTP/1.1" | "HTTP/2";

/** What a server has seen of a whole request. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: NodeJS.Dict<string>;
}

/**
 * @param response of HTTP/2 in Node's compatible form.
 * @param breakOff ends the stream or the connection in the middle, as a failing server would.
 */
export type Answer = (response: ServerResponse, seen: SeenRequest, breakOff: () => void) => void;

export interface VersatileServer {
  readonly port: number;
  /** Called with the whole request, or with the head alone for paths that begin with `/early`. */
  answer: Answer;
  /** Newest last. */
  readonly seen: readonly SeenRequest[];
  stop(): void;
}

export async function startVersatileServer(version: Version): Promise<VersatileServer> {
  const seen: SeenRequest[] = [];
  const server = version === "HTTP/1.1" ? createHttp1() : createHttp2();
  const versatile = {
    port: 0,
    answer: ((response) => void response.end()) as Answer,
    seen,
    stop(): void {
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
    },
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse | Http2ServerResponse): void => {
    const { method = "", url: path = "", headers } = request;
    const whole = (body: string): void => {
      const told = { method, path, headers, body, trailers: request.trailers };
      seen.push(told);
      const breakOff = (): void => void ("stream" in response ? response.stream.close(2) : response.socket!.resetAndDestroy());
      versatile.answer(response as ServerResponse, told, breakOff);
    };
    request.on("error", () => undefined);
    if (path.startsWith("/early")) return whole("");
    let body = "";
    request.setEncoding("latin1").on("data", (text: string) => (body += text));
    request.on("end", () => whole(body));
  };
  server.on("request", onRequest as never);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  versatile.port = (server.address() as AddressInfo).port;
  return versatile;
}

export interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  readonly trailers?: Readonly<Record<string, string>>;
}

/** What a client has seen of a response. */
export interface SeenResponse {
  /** Statuses of informational responses, and what the last of them said in `link`. */
  readonly before: readonly number[];
  readonly link: string | undefined;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: NodeJS.Dict<string>;
  /** The response has ended as it should. */
  readonly isWhole: boolean;
}

/** Asks on a connection of its own. A body waits for 100 where the headers say `expect: 100-continue`. */
export function ask(version: Version, port: number, asked: Asked): Promise<SeenResponse> {
  return version === "HTTP/1.1" ? askHttp1(port, asked) : askHttp2(port, asked);
}

async function askHttp1(port: number, { method = "GET", path, headers = {}, body, trailers }: Asked): Promise<SeenResponse> {
  const before: number[] = [];
  let link: string | undefined;
  const chunked = trailers === undefined ? {} : { "transfer-encoding": "chunked" };
  const request = request1({ port, host: "127.0.0.1", method, path, headers: { ...headers, ...chunked }, agent: false });
  request.on("error", () => undefined);
  request.on("information", (head) => {
    before.push(head.statusCode);
    link = head.headers["link"] as string | undefined;
  });
  const send = (): void => {
    if (trailers !== undefined) request.addTrailers(trailers);
    request.end(body);
  };
  if (headers["expect"] === undefined) send();
  else request.on("continue", send).flushHeaders();
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    request.once("response", resolve).once("close", () => reject(new Error(`no response to ${method} ${path}`))),
  );
  let text = "";
  response.setEncoding("latin1").on("data", (piece: string) => (text += piece));
  const isWhole = await finished(response, { writable: false }).then(
    () => true,
    () => false,
  );
  request.destroy();
  return { before, link, status: response.statusCode!, headers: response.headers, body: text, trailers: response.trailers, isWhole };
}

async function askHttp2(port: number, { method = "GET", path, headers = {}, body, trailers }: Asked): Promise<SeenResponse> {
  const before: number[] = [];
  let link: string | undefined;
  const session = connect2(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  const isEmpty = body === undefined && trailers === undefined;
  const stream: ClientHttp2Stream = session.request(
    { ":method": method, ":path": path, ...headers },
    { endStream: isEmpty, waitForTrailers: trailers !== undefined },
  );
  stream.on("error", () => undefined);
  stream.on("headers", (head) => {
    before.push(head[":status"]!);
    link = head["link"] as string | undefined;
  });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers!));
  if (!isEmpty) {
    if (headers["expect"] === undefined) stream.end(body);
    else stream.on("continue", () => stream.end(body));
  }
  const head = await new Promise<IncomingHttpHeaders & { ":status"?: number }>((resolve, reject) =>
    stream.once("response", resolve).once("close", () => reject(new Error(`no response to ${method} ${path}`))),
  );
  let text = "";
  let last: NodeJS.Dict<string> = {};
  stream.setEncoding("latin1").on("data", (piece: string) => (text += piece));
  stream.on("trailers", (fields: NodeJS.Dict<string>) => (last = fields));
  await finished(stream).catch(() => undefined);
  session.destroy();
  return { before, link, status: head[":status"]!, headers: head, body: text, trailers: last, isWhole: stream.rstCode === 0 };
}
