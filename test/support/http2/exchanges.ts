// Random exchanges between a client and a server of Node's own HTTP/2 (nghttp2), and what must become of each when proxies
// stand between the two: every byte, trailer and informational response arrives, and who gives up harms nobody else.
import { createHash } from "node:crypto";
import { constants, type ClientHttp2Session, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { createServer } from "node:http2";

export interface Exchange {
  readonly method: "GET" | "POST" | "HEAD";
  readonly requestBytes: number;
  readonly requestPieces: number;
  readonly requestTrailers: boolean;
  readonly headerBytes: number;
  readonly status: number;
  readonly informational: number;
  readonly responseBytes: number;
  readonly responsePieces: number;
  readonly responseTrailers: boolean;
  /**
   * `whole`; `early`: answered before the request is whole; `cancel`: the client gives up at once or in the middle of the
   * response; `reset`: the server breaks off.
   */
  readonly fate: "whole" | "early" | "cancel" | "reset";
  /** Whoever reads stops for a while now and then. */
  readonly slow: boolean;
}

const SIZES = [0, 1, 10, 100, 1000, 16_383, 16_384, 16_385, 65_534, 65_535, 65_536, 200_000, 1_000_000];
const STATUSES = [200, 200, 200, 200, 201, 204, 304, 404, 418, 500, 599];

export function randomExchange(random: () => number): Exchange {
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const size = (): number => (random() < 0.8 ? oneOf(SIZES.slice(0, 8)) : oneOf(SIZES));
  const method = oneOf(["GET", "GET", "POST", "POST", "POST", "HEAD"] as const);
  const status = oneOf(STATUSES);
  const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
  const fate = random() < 0.8 ? "whole" : oneOf(["early", "cancel", "reset"] as const);
  const responseBytes = hasBody ? size() : 0;
  const isImpossible = (fate === "early" && method !== "POST") || (fate === "reset" && responseBytes === 0);
  return {
    method,
    requestBytes: method === "POST" ? size() : 0,
    requestPieces: 1 + Math.floor(random() * 8),
    requestTrailers: method === "POST" && random() < 0.3,
    headerBytes: random() < 0.05 ? 20_000 + Math.floor(random() * 20_000) : Math.floor(random() * 200),
    status,
    informational: random() < 0.2 ? 1 + Math.floor(random() * 3) : 0,
    responseBytes,
    responsePieces: 1 + Math.floor(random() * 8),
    responseTrailers: hasBody && random() < 0.3,
    fate: isImpossible ? "whole" : fate,
    slow: random() < 0.2,
  };
}

/** Bytes that tell where they belong. */
function content(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) bytes[at] = (at * 31 + (at >>> 8) * 7) & 0xff;
  return bytes;
}

const digest = (bytes: Buffer): string => `${bytes.length}:${createHash("sha1").update(bytes).digest("hex").slice(0, 8)}`;

interface Sink {
  write(chunk: Buffer): boolean;
  end(): void;
}

/** Writes in pieces, one a turn. */
async function send(sink: Sink, bytes: Buffer, pieces: number, isGone: () => boolean): Promise<void> {
  const step = Math.max(1, Math.ceil(bytes.length / pieces));
  for (let at = 0; at < bytes.length && !isGone(); at += step) {
    sink.write(bytes.subarray(at, at + step));
    await new Promise(setImmediate);
  }
  if (!isGone()) sink.end();
}

/** A server that does what an exchange's header tells it. */
export function startExchangeServer(options: Parameters<typeof createServer>[0] = {}): Http2Server {
  const server = createServer({ maxSessionMemory: 1000, settings: { maxHeaderListSize: 65_535 }, ...options });
  server.on("sessionError", () => undefined);
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void serve(stream, headers).catch(() => undefined));
  return server;
}

async function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  stream.on("error", () => undefined);
  const exchange = JSON.parse(headers["x-exchange"] as string) as Exchange;
  const { status, informational, responseBytes, responsePieces, responseTrailers, fate } = exchange;
  const isGone = (): boolean => stream.destroyed || stream.closed;
  for (let count = 0; count < informational; count += 1) stream.additionalHeaders({ ":status": 103, "x-hint": String(count) });
  const body: Buffer[] = [];
  let trailers = "";
  stream.on("data", (chunk: Buffer) => {
    body.push(chunk);
    if (exchange.slow && body.length % 7 === 3) {
      stream.pause();
      setTimeout(() => stream.resume(), 2);
    }
  });
  stream.on("trailers", (more: IncomingHttpHeaders) => (trailers = String(more["x-t"])));
  const isWhole = new Promise<void>((resolve) => stream.on("end", resolve).on("close", resolve));
  if (fate !== "early") await isWhole;
  if (isGone()) return;
  // A HEAD's length belongs to a body that does not come.
  const endStream = responseBytes === 0 && !responseTrailers;
  stream.respond(
    {
      ":status": status,
      "x-request": fate === "early" ? "early" : `${digest(Buffer.concat(body))},${trailers}`,
      "set-cookie": ["a=1", "b=2"],
    },
    { endStream, waitForTrailers: responseTrailers },
  );
  if (endStream) return;
  if (responseTrailers) stream.on("wantTrailers", () => stream.sendTrailers({ "x-t": "response" }));
  const bytes = content(responseBytes);
  if (fate !== "reset") return send(stream, bytes, responsePieces, isGone);
  stream.write(bytes.subarray(0, responseBytes >>> 1));
  // Node's close(code) would end the response first.
  setTimeout(() => stream.destroy(new Error("reset")), 5);
}

/** Carries an exchange out. Resolves to what went wrong, empty for nothing. */
export async function carryOut(session: ClientHttp2Session, exchange: Exchange): Promise<string> {
  const { method, requestBytes, requestPieces, requestTrailers, headerBytes, fate } = exchange;
  const hasBody = method === "POST";
  const stream = session.request(
    { ":method": method, ":path": "/", "x-exchange": JSON.stringify(exchange), "x-pad": "p".repeat(headerBytes), cookie: "c=1; d=2" },
    { endStream: !hasBody, waitForTrailers: requestTrailers },
  );
  let response: IncomingHttpHeaders | undefined;
  let hints = 0;
  let trailers = "";
  const received: Buffer[] = [];
  let hasEnded = false;
  stream.on("error", () => undefined);
  stream.on("headers", () => (hints += 1));
  stream.on("response", (headers) => (response = headers));
  stream.on("trailers", (headers) => (trailers = String(headers["x-t"])));
  stream.on("end", () => (hasEnded = true));
  stream.on("data", (chunk: Buffer) => {
    received.push(chunk);
    if (fate === "cancel") stream.close(constants.NGHTTP2_CANCEL);
    else if (exchange.slow && received.length % 5 === 2) {
      stream.pause();
      setTimeout(() => stream.resume(), 2);
    }
  });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-t": "request" }));
  const request = content(requestBytes);
  const sending = hasBody ? send(stream, request, requestPieces, () => stream.destroyed || stream.closed) : Promise.resolve();
  if (fate === "cancel" && requestBytes % 2 === 0) setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), requestBytes % 5);
  await new Promise<void>((resolve) => stream.on("close", resolve));
  await sending;
  if (fate === "cancel") return "";
  const body = Buffer.concat(received);
  const problems: string[] = [];
  const check = (what: string, actual: unknown, expected: unknown): void => {
    if (actual !== expected) problems.push(`${what} is ${String(actual)}, not ${String(expected)}`);
  };
  if (fate === "reset") {
    check("whole", hasEnded && stream.rstCode === 0, false);
  } else {
    check("status", response?.[":status"], exchange.status);
    check("informational responses", hints, exchange.informational);
    check("cookies", response?.["set-cookie"]?.join(), "a=1,b=2");
    check("request", response?.["x-request"], fate === "early" ? "early" : `${digest(request)},${requestTrailers ? "request" : ""}`);
    check("response", digest(body), digest(content(exchange.responseBytes)));
    check("trailers", trailers, exchange.responseTrailers ? "response" : "");
  }
  const why = response?.["x-mesh-error"] ?? stream.rstCode;
  return problems.length === 0 ? "" : `${problems.join("; ")} (${String(why)}) in ${JSON.stringify(exchange)}`;
}
