// What a parsed HTTP/1 request head means: target forms, Host, connection persistence, Expect, Upgrade.
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import { HeaderId, REMOVED } from "../header-id.ts";
import { isHost, isTunnelTarget } from "../host-text.ts";
import type { RequestHead } from "../stream.ts";
import { connectionOptions, removeNamed, upgradeOffer } from "./connection-options.ts";
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

/** Everything about the request but its body. The parser's lists become the request's. */
export function readRequestHead(parser: HeadParser, framing: Framing, options: Http1Options): RequestFacts | RequestHeadError {
  const { method, target, minor, headers } = parser;
  const { ids } = headers;
  const http10 = minor === 0;
  if (http10 && !options.acceptHttp10) return refused(Causes.httpVersionNotSupported, "HTTP/1.0 is not accepted here");

  let host: string | undefined;
  let keepAlive = !http10;
  let hasUpgrade = false;
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
      // What else may be expected is for the server to judge.
      if (headers.valueAt(index).toLowerCase() !== "100-continue") continue;
      expectsContinue = !http10;
      ids[index] = REMOVED;
    } else if (id === UPGRADE) {
      hasUpgrade = true;
    } else if (id === CONTENT_LENGTH && framing.kind === "chunked") {
      ids[index] = REMOVED;
    }
  }
  let upgrade = "";
  if (hasConnection) {
    const named = connectionOptions(headers);
    if (named.includes("close")) keepAlive = false;
    else if (http10 && named.includes("keep-alive")) keepAlive = true;
    removeNamed(headers, named);
    // RFC 9110 §7.8: not from HTTP/1.0. An offer with a body is left aside, too: what upgrades has none.
    if (hasUpgrade && named.includes("upgrade") && !http10 && framing.kind === "none") {
      const offer = upgradeOffer(headers.joined(UPGRADE) ?? "");
      if (offer === undefined) return refused(Causes.badRequest, "invalid upgrade");
      if (offer !== "") headers.set(UPGRADE, offer);
      upgrade = offer.toLowerCase();
    }
  }
  if (hasUpgrade && upgrade === "") headers.remove(UPGRADE);

  // RFC 9112 §3.2: a message of 1.1 has one Host, and a valid one, whatever the form of its target.
  if (host === undefined && !http10) return refused(Causes.missingHost, "no host header");
  if (host !== undefined && host !== "" && !isHost(host)) return refused(Causes.badRequest, "invalid host");
  let path = target;
  let scheme = options.scheme;
  let isAbsoluteForm = false;
  if (method === "CONNECT") {
    // §3.2.3: authority form. RFC 9110 §9.3.6: content has no meaning here, and what it is taken for differs.
    if (framing.kind !== "none") return refused(Causes.badRequest, "CONNECT with a body");
    if (!isTunnelTarget(target)) return refused(Causes.badRequest, "invalid request target");
    headers.remove(UPGRADE);
    headers.set(HOST, target);
    host = target;
    path = "";
    upgrade = "connect";
  } else if (target.charCodeAt(0) !== SLASH) {
    if (target === "*") {
      if (method !== "OPTIONS") return refused(Causes.badRequest, "request target * is for OPTIONS only");
    } else {
      const absolute = parseAbsoluteForm(target);
      if (absolute === undefined) return refused(Causes.badRequest, "invalid request target");
      // §3.2.2: the target's authority counts, whatever Host says; the next hop must not see another one.
      if (host !== absolute.authority) headers.set(HOST, absolute.authority);
      host = absolute.authority;
      // §3.2.4: without a path OPTIONS is about the server itself.
      path = absolute.path !== "" ? absolute.path : method === "OPTIONS" ? "*" : "/";
      scheme = absolute.scheme;
      isAbsoluteForm = true;
    }
  }
  if (host === undefined) {
    if (options.defaultHostForHttp10 === "") return refused(Causes.missingHost, "no host header in an HTTP/1.0 request");
    host = options.defaultHostForHttp10;
    headers.append(HOST, "host", host);
  }
  if (host === "" || (isAbsoluteForm && !isHost(host))) return refused(Causes.badRequest, "invalid host");
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

function parseAbsoluteForm(target: string): { scheme: string; authority: string; path: string } | undefined {
  const match = /^(https?):\/\/([^/?#]+)([^#]*)$/i.exec(target);
  if (match === null) return undefined;
  const rest = match[3]!;
  return { scheme: match[1]!.toLowerCase(), authority: match[2]!, path: rest.startsWith("?") ? `/${rest}` : rest };
}
