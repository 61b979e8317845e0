// One HTTP request on one connection, answered and closed, on node:net: what kubelet asks every few seconds must not be
// what makes the sidecar load node:http.
import type { Socket } from "node:net";
import type { Answer } from "./answer.ts";

export interface PlainRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name; of several with one name the last. */
  readonly headers: ReadonlyMap<string, string>;
  /** The asking side; `::ffff:` in front of IPv4 is left out. */
  readonly remoteAddress: string;
  /** Aborted when the asking side has gone. */
  readonly signal: AbortSignal;
}

const MAX_HEAD_BYTES = 16_384;
const HEAD_TIMEOUT_MS = 5000;

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** Reads a head, asks for the answer, writes it. A body that comes with the request is read and dropped. */
export function answerOnce(socket: Socket, answer: (request: PlainRequest) => Answer | Promise<Answer>): void {
  const gone = new AbortController();
  let head: string | undefined = "";
  socket.setTimeout(HEAD_TIMEOUT_MS, () => socket.destroy());
  socket.on("close", () => gone.abort());
  socket.on("data", (chunk: Buffer) => {
    if (head === undefined) return;
    head += chunk.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) {
      if (head.length > MAX_HEAD_BYTES) socket.destroy();
      return;
    }
    const request = parseHead(head.slice(0, end), socket.remoteAddress ?? "", gone.signal);
    head = undefined;
    // How long the answer takes is the business of whoever makes it.
    socket.setTimeout(0);
    if (request === undefined) return write(socket, "GET", { status: 400, type: "text/plain", body: "" });
    const failed = (error: unknown): Answer => ({ status: 500, type: "text/plain; charset=UTF-8", body: `error: ${describe(error)}\n` });
    void Promise.resolve(request)
      .then(answer)
      .catch(failed)
      .then((result) => write(socket, request.method, result));
  });
}

function parseHead(text: string, remoteAddress: string, signal: AbortSignal): PlainRequest | undefined {
  const [line = "", ...fields] = text.split("\r\n");
  const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(line) ?? [];
  if (method === undefined || target === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const each of fields) {
    const colon = each.indexOf(":");
    if (colon > 0) headers.set(each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim());
  }
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1));
  return { method, path, query, headers, remoteAddress: remoteAddress.replace(/^::ffff:/, ""), signal };
}

function write(socket: Socket, method: string, { status, type, body, afterwards }: Answer): void {
  if (socket.destroyed) return;
  const fields = [`HTTP/1.1 ${status} ${REASONS[status] ?? ""}`];
  if (body !== "") fields.push(`Content-Type: ${type}`, "X-Content-Type-Options: nosniff");
  fields.push(`Content-Length: ${Buffer.byteLength(body)}`, "Connection: close", "", "");
  // An asking side that doesn't read is not waited for without end.
  socket.setTimeout(HEAD_TIMEOUT_MS);
  socket.end(fields.join("\r\n") + (method === "HEAD" ? "" : body), afterwards);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
