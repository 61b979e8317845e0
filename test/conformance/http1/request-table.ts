// The form of HTTP/1 request cases: bytes in, decision and bytes out. One table for each section of the RFCs.

export interface RequestCase {
  readonly name: string;
  /** What the client sends, latin1. */
  readonly bytes: string;
  /**
   * What the upstream receives, one string a request, chunks joined to one; `same` where that is what the client has sent.
   * Left out where no request reaches it whole.
   */
  readonly forwarded?: "same" | readonly string[];
  /** Status of the proxy's own reply, which closes the connection. Left out where every request is forwarded. */
  readonly refused?: number;
  /** The connection takes another request after this; by default where nothing was refused. */
  readonly kept?: boolean;
  /** Why, where the RFC leaves a choice or is not followed. */
  readonly because?: string;
  /** What Node's own parser, with its default strictness, makes of it, where that is not the same. */
  readonly node?: NodeVerdict;
}

/** `refuses`; `accepts`: as one request, as we do with others; `otherwise`: with another method, target or body. */
export type NodeVerdict = "accepts" | "refuses" | "otherwise";

export interface RequestTable {
  /** `RFC 9112 §6.3`, and what it is about. */
  readonly section: string;
  readonly cases: readonly RequestCase[];
}

export const HOST = "Host: a\r\n";

/** A GET with this header line. */
export function withLine(line: string): string {
  return `GET / HTTP/1.1\r\n${HOST}${line}\r\n\r\n`;
}

/** A POST with these header lines, each with its CRLF, and this body. */
export function post(lines: string, body: string): string {
  return `POST /p HTTP/1.1\r\n${HOST}${lines}\r\n${body}`;
}

/** A POST in chunks, its last one and trailers included in `body`. */
export function chunked(body: string): string {
  return post("Transfer-Encoding: chunked\r\n", body);
}

/** What an upstream receives of a `chunked` one: framing headers are written anew. */
export function forwardedChunks(data: string, trailers = ""): string {
  const chunk = data === "" ? "" : `${data.length.toString(16)}\r\n${data}\r\n`;
  return `POST /p HTTP/1.1\r\n${HOST}transfer-encoding: chunked\r\n\r\n${chunk}0\r\n${trailers}\r\n`;
}

/** A request that must never be taken for one where it stands. */
export const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/** What the upstream receives, chunks joined. */
export function expectedRequests({ bytes, forwarded }: RequestCase): readonly string[] {
  return forwarded === "same" ? [bytes] : (forwarded ?? []);
}

export function isKept({ refused, kept }: RequestCase): boolean {
  return kept ?? refused === undefined;
}
