// The form of HTTP/1 response cases: what the upstream sends to one request, and what its client receives of it.
import type { NodeVerdict } from "./request-table.ts";

export interface ResponseCase {
  readonly name: string;
  /** Default GET. */
  readonly method?: string;
  /** What the upstream answers, latin1. */
  readonly bytes: string;
  /** What the upstream does after that; by default it leaves the connection open. Node's client is not shown a reset. */
  readonly then?: "fin" | "reset";
  /** What the client receives, chunks joined to one; `same` where that is what the upstream has sent. */
  readonly received?: string;
  /** In place of that a reply of our own, behind informational responses. */
  readonly refused?: 502 | 503;
  /** The response had begun: its connection is cut, so that nobody takes it for whole. */
  readonly cut?: boolean;
  /** The upstream's connection carries another request. The client's always does, unless it is cut. */
  readonly kept: boolean;
  readonly because?: string;
  /** What Node's own client, with its default strictness, makes of it, where that is not the same. */
  readonly node?: NodeVerdict;
}

export interface ResponseTable {
  readonly section: string;
  readonly cases: readonly ResponseCase[];
}

/** A 200 with these header lines, each with its CRLF, and this body. */
export function answer(lines: string, body: string): string {
  return `HTTP/1.1 200 OK\r\n${lines}\r\n${body}`;
}

/** A 200 in chunks, its last one included in `body`. */
export function answerChunks(body: string): string {
  return answer("Transfer-Encoding: chunked\r\n", body);
}

/** What a client receives of a body whose length was not known: framing headers are written anew. */
export function receivedChunks(data: string, trailers = ""): string {
  const chunk = data === "" ? "" : `${data.length.toString(16)}\r\n${data}\r\n`;
  return answer("transfer-encoding: chunked\r\n", `${chunk}0\r\n${trailers}\r\n`);
}

/** A response that must never reach anybody where it stands. */
export const EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
