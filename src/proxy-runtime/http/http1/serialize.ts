// HTTP/1 heads and trailers as latin1 text. Headers that belong to one connection only are left out here, whatever put
// them there (RFC 9110 §7.6.1); framing headers are written by the connection that knows the framing.
import { HeaderId, REMOVED } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";

const CONNECTION_ONLY = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] as const;
const TE = HeaderId["te"];

// By id: 1 for what is left out.
const SKIPPED = new Uint8Array(64);
for (const name of CONNECTION_ONLY) SKIPPED[HeaderId[name]] = 1;
const SKIPPED_WITH_LENGTH = SKIPPED.slice();
SKIPPED_WITH_LENGTH[HeaderId["content-length"]] = 1;

/** What a head's Content-Length is to become: as it stands, or left out because the body is chunked or has none. */
export type ContentLength = "keep" | "drop";

/** `Name: value\r\n` for every header that may pass on. */
export function fieldLines(headers: HeaderList, contentLength: ContentLength): string {
  // RFC 9110 §10.1.4: only `trailers` means the same to the next hop.
  if (headers.has(TE) && headers.joined(TE)!.toLowerCase() !== "trailers") headers.remove(TE);
  return headers.toLines(contentLength === "keep" ? SKIPPED : SKIPPED_WITH_LENGTH);
}

// Fields that would change framing, routing or trust after the fact (RFC 9110 §6.5.1).
const NOT_IN_TRAILERS = new Set<number>([
  HeaderId["content-length"],
  HeaderId["transfer-encoding"],
  HeaderId["host"],
  HeaderId["connection"],
  HeaderId["te"],
  HeaderId["trailer"],
  HeaderId["authorization"],
  HeaderId["expect"],
  HeaderId["keep-alive"],
  HeaderId["upgrade"],
  HeaderId["x-forwarded-client-cert"],
  HeaderId["x-mesh-error"],
  HeaderId["content-type"],
  HeaderId["cookie"],
]);

/** Removes trailer fields that must not be there. */
export function sanitizeTrailers(trailers: HeaderList): HeaderList {
  for (let index = 0; index < trailers.ids.length; index += 1) {
    if (NOT_IN_TRAILERS.has(trailers.ids[index]!)) trailers.ids[index] = REMOVED;
  }
  return trailers;
}

/** The last chunk with its trailer section. */
export function lastChunk(trailers: HeaderList | undefined): string {
  if (trailers === undefined) return "0\r\n\r\n";
  return `0\r\n${trailers.toLines(NOTHING_SKIPPED)}\r\n`;
}

const NOTHING_SKIPPED = new Uint8Array(64);

// prettier-ignore
const REASONS: Readonly<Record<number, string>> = {
  100: "Continue", 101: "Switching Protocols", 102: "Processing", 103: "Early Hints",
  200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content", 205: "Reset Content",
  206: "Partial Content", 207: "Multi-Status", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Found", 303: "See Other",
  304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
  402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
  407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required",
  412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type",
  416: "Range Not Satisfiable", 417: "Expectation Failed", 421: "Misdirected Request", 422: "Unprocessable Content", 423: "Locked",
  424: "Failed Dependency", 425: "Too Early", 426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
  431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 501: "Not Implemented",
  502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported", 507: "Insufficient Storage",
  511: "Network Authentication Required",
};

// Made once for each status that was met with its usual reason.
const STATUS_LINES: (string | undefined)[] = [];

/** `HTTP/1.1 200 OK\r\n`; an empty reason becomes the usual one. */
export function statusLine(status: number, reason: string): string {
  const usual = REASONS[status] ?? "Unknown";
  if (reason !== "" && reason !== usual) return `HTTP/1.1 ${status} ${reason}\r\n`;
  return (STATUS_LINES[status] ??= `HTTP/1.1 ${status} ${usual}\r\n`);
}

/** A response to which no body belongs (RFC 9112 §6.3), whatever its headers say. */
export function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 304 || (status >= 100 && status < 200);
}
