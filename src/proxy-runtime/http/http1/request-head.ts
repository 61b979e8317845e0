// What a parsed HTTP/1 request head means: target forms, Host, connection persistence, Expect, Upgrade.
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import { HeaderId, REMOVED } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";
import type { RequestHead } from "../stream.ts";
import type { Framing, HeadParser } from "./head-parser.ts";

export interface Http1Options {
  readonly acceptHttp10: boolean;
  readonly defaultHostForHttp10: string;
  readonly allowChunkedLength: boolean;
  /** Scheme of requests in origin form. */
  readonly scheme: string;
}

export interface RequestFacts {
  readonly head: RequestHead;
  readonly keepAlive: boolean;
  readonly expectsContinue: boolean;
}

export interface RequestHeadError {
  readonly cause: Cause;
  readonly detail: string;
}

const HOST = HeaderId["host"];
const CONNECTION = HeaderId["connection"];
const EXPECT = HeaderId["expect"];
const UPGRADE = HeaderId["upgrade"];
const CONTENT_LENGTH = HeaderId["content-length"];
const TE = HeaderId["te"];

/** Everything about the request but its body. The parser's lists become the request's. */
export function readRequestHead(parser: HeadParser, framing: Framing, options: Http1Options): RequestFacts | RequestHeadError {
  const { method, target, minor, headers } = parser;
  const { ids } = headers;
  const http10 = minor === 0;
  if (http10 && !options.acceptHttp10) return refused(Causes.httpVersionNotSupported, "HTTP/1.0 is not accepted here");
  if (method === "CONNECT") return refused(Causes.connectRefused, "CONNECT is not allowed here");

  let host: string | undefined;
  let keepAlive = !http10;
  let upgrade = "";
  let expectsContinue = false;
  let hasConnection = false;
  for (let index = 0; index < ids.length; index += 1) {
    const id = ids[index]!;
    if (id === HOST) {
      if (host !== undefined) return refused(Causes.badRequest, "more than one host header");
      host = headers.valueAt(index);
    } else if (id === CONNECTION) {
      hasConnection = true;
    } else if (id === EXPECT) {
      if (headers.valueAt(index).toLowerCase() === "100-continue") expectsContinue = !http10;
      ids[index] = REMOVED;
    } else if (id === UPGRADE) {
      upgrade = headers.valueAt(index).toLowerCase();
    } else if (id === CONTENT_LENGTH && framing.kind === "chunked") {
      ids[index] = REMOVED;
    }
  }
  if (hasConnection) {
    const tokens = connectionTokens(headers);
    if (tokens.includes("close")) keepAlive = false;
    else if (http10 && tokens.includes("keep-alive")) keepAlive = true;
    if (!tokens.includes("upgrade")) upgrade = "";
    removeNamed(headers, tokens);
  } else upgrade = "";

  let path = target;
  let scheme = options.scheme;
  let isAbsoluteForm = false;
  if (target.charCodeAt(0) !== SLASH) {
    if (target === "*") {
      if (method !== "OPTIONS") return refused(Causes.badRequest, "request target * is for OPTIONS only");
    } else {
      const absolute = parseAbsoluteForm(target);
      if (absolute === undefined) return refused(Causes.badRequest, "invalid request target");
      // RFC 9112 §3.2.2: the target's authority counts, whatever Host says; the next hop must not see another one.
      headers.set(HOST, absolute.authority);
      host = absolute.authority;
      path = absolute.path;
      scheme = absolute.scheme;
      isAbsoluteForm = true;
    }
  }
  if (host === undefined) {
    if (!http10 || options.defaultHostForHttp10 === "") {
      if (!http10) return refused(Causes.missingHost, "no host header");
      return refused(Causes.missingHost, "no host header in an HTTP/1.0 request");
    }
    host = options.defaultHostForHttp10;
    headers.append(HOST, "host", host);
  }
  if (!isHost(host)) return refused(Causes.badRequest, "invalid host");
  const contentLength = framing.kind === "length" ? framing.length : headers.has(CONTENT_LENGTH) ? 0 : -1;
  const head: RequestHead = {
    method,
    path,
    authority: host,
    scheme,
    isAbsoluteForm,
    headers,
    protocol: http10 ? "HTTP/1.0" : "HTTP/1.1",
    upgrade,
    contentLength,
    headBytes: parser.bytes,
  };
  return { head, keepAlive, expectsContinue };
}

const SLASH = 47;

function refused(cause: Cause, detail: string): RequestHeadError {
  return { cause, detail };
}

function connectionTokens(headers: HeaderList): string[] {
  const tokens: string[] = [];
  for (let index = 0; index < headers.ids.length; index += 1) {
    if (headers.ids[index] !== CONNECTION) continue;
    for (const token of headers.valueAt(index).split(",")) {
      const trimmed = token.trim().toLowerCase();
      if (trimmed !== "") tokens.push(trimmed);
    }
  }
  return tokens;
}

// A sender that names these would take away what frames or routes the message.
const KEPT = new Set(["close", "keep-alive", "upgrade", "te", "host", "content-length", "transfer-encoding"]);

/** RFC 9110 §7.6.1: fields that Connection names go no further. */
function removeNamed(headers: HeaderList, tokens: readonly string[]): void {
  for (const token of tokens) if (!KEPT.has(token)) headers.removeByName(token);
  if (!tokens.includes("te")) headers.remove(TE);
}

function parseAbsoluteForm(target: string): { scheme: string; authority: string; path: string } | undefined {
  const match = /^(https?):\/\/([^/?#]+)([^#]*)$/i.exec(target);
  if (match === null) return undefined;
  const rest = match[3]!;
  const path = rest === "" ? "/" : rest.startsWith("/") ? rest : `/${rest}`;
  return { scheme: match[1]!.toLowerCase(), authority: match[2]!, path };
}

// reg-name, IPv4 or bracketed IPv6 with an optional port; not empty, no user info (RFC 9110 §4.2.1, §4.2.4).
const HOST_TEXT = /^(?:\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]+)(?::[0-9]{0,5})?$/;

/** Whether text may stand in Host; plain names are told by a short scan. */
export function isHost(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const plain = (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 45 || code === 46;
    if (!plain) return HOST_TEXT.test(text);
  }
  return text.length > 0;
}
