// HTTP/1 heads and trailers as latin1 text. Headers that belong to one connection only are left out here, whatever put
// them there (RFC 9110 §7.6.1); framing headers are written by the connection that knows the framing.
import { HEADER_NAMES, HeaderId } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";
import { usualReason } from "../reason-phrases.ts";

const CONNECTION_ONLY = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] as const;
const TE = HeaderId["te"];
const UPGRADE = HeaderId["upgrade"];

// By id: 1 for what is left out.
const SKIPPED = new Uint8Array(HEADER_NAMES.length);
for (const name of CONNECTION_ONLY) SKIPPED[HeaderId[name]] = 1;
const SKIPPED_WITH_LENGTH = SKIPPED.slice();
SKIPPED_WITH_LENGTH[HeaderId["content-length"]] = 1;

/** What a head's Content-Length is to become: as it stands, or left out because the body is chunked or has none. */
export type ContentLength = "keep" | "drop";

/** `Name: value\r\n` for every header that may pass on. */
export function fieldLines(headers: HeaderList, contentLength: ContentLength): string {
  const skipped = contentLength === "keep" ? SKIPPED : SKIPPED_WITH_LENGTH;
  if (!headers.has(TE)) return headers.toLines(skipped);
  // RFC 9110 §10.1.4: only `trailers` means the same to the next hop, and Connection says that it is for that hop alone.
  if (headers.joined(TE)!.toLowerCase() === "trailers") return `${headers.toLines(skipped)}connection: TE\r\n`;
  headers.remove(TE);
  return headers.toLines(skipped);
}

/** What names an upgrade in a head of either side; nothing for CONNECT, which its start line names. */
export function upgradeLines(headers: HeaderList, upgrade: string): string {
  if (upgrade === "" || upgrade === "connect") return "";
  return `connection: Upgrade\r\nupgrade: ${headers.joined(UPGRADE) ?? upgrade}\r\n`;
}

/** The last chunk with its trailer section. */
export function lastChunk(trailers: HeaderList | undefined): string {
  if (trailers === undefined) return "0\r\n\r\n";
  return `0\r\n${trailers.toLines(NOTHING_SKIPPED)}\r\n`;
}

const NOTHING_SKIPPED = new Uint8Array(HEADER_NAMES.length);

// Made once for each status that was met with its usual reason.
const STATUS_LINES: (string | undefined)[] = [];

/** `HTTP/1.1 200 OK\r\n`; an empty reason becomes the usual one. */
export function statusLine(status: number, reason: string): string {
  const usual = usualReason(status);
  if (reason !== "" && reason !== usual) return `HTTP/1.1 ${status} ${reason}\r\n`;
  return (STATUS_LINES[status] ??= `HTTP/1.1 ${status} ${usual}\r\n`);
}

/** A response to which no body belongs (RFC 9112 §6.3), whatever its headers say. */
export function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 304 || (status >= 100 && status < 200);
}
