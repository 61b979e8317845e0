// The fields of an HTTP/2 request as a request head (RFC 9113 §8.2, §8.3). What HTTP/1 could read otherwise than HTTP/2
// does (a path with a blank in it, a forbidden framing header) is refused here: it goes to HTTP/1 upstreams, too.
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import { HeaderField } from "../header-field.ts";
import { HEADER_NAMES, HeaderId, isToken } from "../header-id.ts";
import { HeaderList } from "../header-list.ts";
import { isHost, isTunnelTarget } from "../host-text.ts";
import { upgradeOffer } from "../http1/connection-options.ts";
import type { RequestHead } from "../stream.ts";

/** `:version` of an HTTP/1.0 request with `Connection: keep-alive`, without which its server closes after each. */
export const KEPT_10 = "1.0 keep-alive";

const HOST = HeaderId["host"];
const CONNECTION = HeaderId["connection"];
const UPGRADE = HeaderId["upgrade"];
const TE = HeaderId["te"];
const COOKIE = HeaderId["cookie"];
const EXPECT = HeaderId["expect"];
const CONTENT_LENGTH = HeaderId["content-length"];
const METHOD = HeaderId[":method"];
const PATH = HeaderId[":path"];
const SCHEME = HeaderId[":scheme"];
const AUTHORITY = HeaderId[":authority"];
const PROTOCOL = HeaderId[":protocol"];
const VERSION = HeaderId[":version"];
const TARGET = HeaderId[":target"];
/** Pseudo-headers have the highest ids. */
const FIRST_PSEUDO = METHOD;

// §8.2.2.
const FORBIDDEN = new Uint8Array(HEADER_NAMES.length);
for (const name of ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] as const) FORBIDDEN[HeaderId[name]] = 1;

export interface RequestFieldsError {
  readonly cause: Cause;
  readonly detail: string;
}

export interface RequestFields {
  readonly head: RequestHead;
  readonly expectsContinue: boolean;
}

export interface RequestFieldsOptions {
  readonly isMesh: boolean;
  /** Extended CONNECT was announced (RFC 8441). */
  readonly allowConnect: boolean;
}

/** @param endStream the request has no body. */
export function readRequestFields(
  fields: HeaderField[],
  listBytes: number,
  endStream: boolean,
  options: RequestFieldsOptions,
): RequestFields | RequestFieldsError {
  let method: string | undefined;
  let path: string | undefined;
  let scheme: string | undefined;
  let authority: string | undefined;
  let protocol: string | undefined;
  let version: string | undefined;
  let isAbsoluteForm = false;
  let index = 0;
  for (; index < fields.length; index += 1) {
    const field = fields[index]!;
    const { id, value } = field;
    if (id < FIRST_PSEUDO) break;
    if (field.isMalformed) return malformed("invalid pseudo-header");
    if (id === METHOD && method === undefined) method = value;
    else if (id === PATH && path === undefined) path = value;
    else if (id === SCHEME && scheme === undefined) scheme = value;
    else if (id === AUTHORITY && authority === undefined) authority = value;
    else if (id === PROTOCOL && protocol === undefined && options.allowConnect) protocol = value;
    else if (options.isMesh && id === VERSION && version === undefined) version = value;
    else if (options.isMesh && id === TARGET) isAbsoluteForm = value === "absolute";
    else return malformed(`unexpected ${field.name}`);
  }
  const headers = new HeaderList();
  if (authority !== undefined) headers.appendField(hostField(authority));
  let host: string | undefined;
  let contentLength = -1;
  let expectsContinue = false;
  let cookies: string | undefined;
  let areCookiesNeverIndexed = false;
  for (; index < fields.length; index += 1) {
    const field = fields[index]!;
    const { id, value } = field;
    if (field.isMalformed) return malformed(`invalid header ${printable(field.name)}`);
    if (id >= FIRST_PSEUDO) return malformed("pseudo-header behind a header");
    if (FORBIDDEN[id] === 1) return malformed(`header ${field.name} does not belong into HTTP/2`);
    if (id === HOST) {
      if (host !== undefined) return malformed("more than one host header");
      host = value;
      if (authority !== undefined) continue;
    } else if (id === TE && value.toLowerCase() !== "trailers") return malformed("te other than trailers");
    else if (id === CONTENT_LENGTH) {
      if (contentLength >= 0) return malformed("repeated content-length");
      contentLength = contentLengthOf(value);
      if (contentLength < 0) return malformed("invalid content-length");
    } else if (id === EXPECT) {
      // What else may be expected is for the server to judge.
      if (value.toLowerCase() === "100-continue") {
        expectsContinue = !endStream;
        continue;
      }
    } else if (id === COOKIE && !options.isMesh) {
      // §8.2.3: crumbs become one header again.
      cookies = cookies === undefined ? value : `${cookies}; ${value}`;
      areCookiesNeverIndexed ||= field.isNeverIndexed;
      continue;
    }
    headers.appendField(field);
  }
  if (cookies !== undefined) headers.appendField(new HeaderField(COOKIE, "cookie", cookies, false, areCookiesNeverIndexed));
  if (method === undefined || !isToken(method)) return malformed("no valid :method");
  let upgrade = "";
  if (method === "CONNECT" && protocol === undefined) {
    // §8.5.
    if (scheme !== undefined || path !== undefined || authority === undefined || !isTunnelTarget(authority))
      return malformed("invalid CONNECT");
    upgrade = "connect";
    path = "";
    scheme = "http";
  } else {
    if (protocol !== undefined) {
      // What an Upgrade field may say, versions included. What would be ignored there has no other meaning here.
      const offer = method === "CONNECT" ? upgradeOffer(protocol) : undefined;
      if (offer === undefined || offer === "") return malformed("unexpected :protocol");
      upgrade = offer.toLowerCase();
      if (offer !== upgrade) headers.appendField(HeaderField.known(UPGRADE, offer));
      method = "GET";
    }
    if (scheme === undefined || !isScheme(scheme)) return malformed("no valid :scheme");
    if (path === undefined || !isPath(path, method)) return malformed("no valid :path");
  }
  if (host !== undefined && authority !== undefined && host.toLowerCase() !== authority.toLowerCase())
    return malformed("host is not :authority");
  authority ??= host;
  if (authority === undefined) return { cause: Causes.missingHost, detail: "no :authority and no host header" };
  if (!isHost(authority)) return malformed("invalid :authority");
  // What an upgrade carries is no body, and HTTP/1 must not be told of one.
  if (contentLength > 0 && (endStream || upgrade !== "")) return malformed("body does not fit its content-length");
  if (version === KEPT_10) {
    version = "1.0";
    headers.appendField(HeaderField.known(CONNECTION, "keep-alive"));
  } else if (version !== undefined && version !== "1.1" && version !== "1.0") return malformed("invalid :version");
  const head: RequestHead = {
    method,
    path,
    authority,
    scheme,
    isAbsoluteForm,
    headers,
    protocol: version === undefined ? "HTTP/2" : `HTTP/${version}`,
    upgrade,
    contentLength,
    headBytes: listBytes,
  };
  return { head, expectsContinue };
}

const SCHEME_TEXT = /^[A-Za-z][A-Za-z0-9+\-.]*$/;

function isScheme(text: string): boolean {
  return text === "http" || text === "https" || SCHEME_TEXT.test(text);
}

function malformed(detail: string): RequestFieldsError {
  return { cause: Causes.http2Malformed, detail };
}

/** Origin form without blanks, fragments and control bytes; `*` for OPTIONS (§8.3.1). */
function isPath(path: string, method: string): boolean {
  if (path.charCodeAt(0) !== 47) return path === "*" && method === "OPTIONS";
  for (let at = 1; at < path.length; at += 1) {
    const code = path.charCodeAt(at);
    if (code <= 32 || code === 127 || code === 35) return false;
  }
  return true;
}

/** Digits only; -1 for anything else. */
export function contentLengthOf(text: string): number {
  if (text.length === 0 || text.length > 15) return -1;
  let value = 0;
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = 10 * value + digit;
  }
  return value;
}

function printable(name: string): string {
  return name.replace(/[^\x21-\x7e]/g, "?").slice(0, 64);
}

// Most requests of a connection have one authority, out of HPACK's table: one field for all of them.
let lastHost: HeaderField | undefined;

function hostField(authority: string): HeaderField {
  if (lastHost === undefined || lastHost.value !== authority) lastHost = HeaderField.known(HOST, authority);
  return lastHost;
}
