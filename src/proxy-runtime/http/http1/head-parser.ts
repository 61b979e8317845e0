// One pass over the bytes of an HTTP/1 head: validates, finds known names by hash and records offsets; then one slice
// of the whole head, out of which a HeaderList cuts what is asked for. Strict in everything that request smuggling lives on (RFC 9112 §11.2).
// Measured fastest of five ways (docs/performance.md).
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import { HeaderList } from "../header-list.ts";
import { HeaderId, TOKEN_LOWER, hashStep, lookupHeaderId } from "../header-id.ts";

const CR = 13;
const LF = 10;
const SP = 32;
const HT = 9;
const COLON = 58;

// field-vchar, SP, HT and obs-text (RFC 9110 §5.5).
const VALUE_BYTE = new Uint8Array(256);
for (let byte = 0x20; byte < 0x7f; byte += 1) VALUE_BYTE[byte] = 1;
for (let byte = 0x80; byte < 0x100; byte += 1) VALUE_BYTE[byte] = 1;
VALUE_BYTE[HT] = 1;

// Bytes of a request target: visible ASCII, and what browsers of old send unescaped above it.
const TARGET_BYTE = new Uint8Array(256);
for (let byte = 0x21; byte < 0x7f; byte += 1) TARGET_BYTE[byte] = 1;
for (let byte = 0x80; byte < 0x100; byte += 1) TARGET_BYTE[byte] = 1;
// A fragment is never sent (RFC 9112 §3.2); what routes on it could be fooled.
TARGET_BYTE[0x23] = 0;

export interface HeadLimits {
  readonly maxBytes: number;
  readonly maxHeaders: number;
}

/** What parse answers when the head is not whole yet. */
export const INCOMPLETE = -1;
/** What parse answers when the head is refused; `error` and `errorDetail` say why. */
export const REFUSED = -2;

// Below this, parsing again is cheaper than asking whether to.
const SMALL_HEAD_BYTES = 1024;

const HTTP_1 = [72, 84, 84, 80, 47, 49, 46]; // "HTTP/1."

/** Parses heads of requests, of responses and trailer sections. One per connection, reused; results are valid until the next call. */
export class HeadParser {
  method = "";
  target = "";
  /** Minor version: 0 or 1. */
  minor = 1;
  status = 0;
  reason = "";
  /** The fields, owned by whoever takes them. */
  headers = new HeaderList();
  /** Size of the last head. */
  bytes = 0;
  error: Cause = Causes.badRequest;
  errorDetail = "";
  readonly #maxBytes: number;
  readonly #maxHeaders: number;
  // Per field: start and end of name, start and end of value, id.
  readonly #offsets: Int32Array;
  #fields = 0;
  // Of a head that is not whole: how much of it was parsed, and how much was searched for the end of a line since.
  #parsedBytes = 0;
  #searchedBytes = 0;

  constructor(limits: HeadLimits) {
    this.#maxBytes = limits.maxBytes;
    this.#maxHeaders = limits.maxHeaders;
    this.#offsets = new Int32Array(limits.maxHeaders * 5);
  }

  /** Parses a request head at bytes[start, end). Returns the offset behind it, INCOMPLETE or REFUSED. */
  parseRequest(bytes: Buffer, start: number, end: number): number {
    if (this.#parsedBytes !== 0 && this.#canWait(bytes, start, end)) return INCOMPLETE;
    let at = start;
    while (at < end && TOKEN_LOWER[bytes[at]!] !== 0) at += 1;
    if (at === end) return this.#unfinished(start, end);
    if (at === start || bytes[at] !== SP) return this.#refuse(Causes.badRequest, "invalid method");
    const methodEnd = at;
    at += 1;
    const targetStart = at;
    while (at < end && TARGET_BYTE[bytes[at]!] !== 0) at += 1;
    if (at === end) return this.#unfinished(start, end);
    if (at === targetStart || bytes[at] !== SP) return this.#refuse(Causes.badRequest, "invalid request target");
    const targetEnd = at;
    at += 1;
    if (end - at < 10) {
      for (let index = 0; index < end - at && index < 7; index += 1) {
        if (bytes[at + index] !== HTTP_1[index]) return this.#refuseVersion();
      }
      return this.#unfinished(start, end);
    }
    for (let index = 0; index < 7; index += 1) if (bytes[at + index] !== HTTP_1[index]) return this.#refuseVersion();
    const minor = bytes[at + 7]! - 48;
    if (minor !== 0 && minor !== 1) return this.#refuseVersion();
    if (bytes[at + 8] !== CR || bytes[at + 9] !== LF) return this.#refuse(Causes.badRequest, "request line does not end in CRLF");
    const next = this.#fieldLines(bytes, at + 10, start, end);
    if (next < 0) return next;
    const text = bytes.latin1Slice(start, next);
    this.method = text.slice(0, methodEnd - start);
    this.target = text.slice(targetStart - start, targetEnd - start);
    this.minor = minor;
    this.#slice(text, start);
    return next;
  }

  /** Parses a response head at bytes[start, end). Returns as parseRequest. */
  parseResponse(bytes: Buffer, start: number, end: number): number {
    if (this.#parsedBytes !== 0 && this.#canWait(bytes, start, end)) return INCOMPLETE;
    if (end - start < 13) {
      for (let index = 0; index < end - start && index < 7; index += 1) {
        if (bytes[start + index] !== HTTP_1[index]) return this.#refuse(Causes.upstreamProtocolError, "invalid status line");
      }
      return INCOMPLETE;
    }
    for (let index = 0; index < 7; index += 1) {
      if (bytes[start + index] !== HTTP_1[index]) return this.#refuse(Causes.upstreamProtocolError, "invalid status line");
    }
    const minor = bytes[start + 7]! - 48;
    if ((minor !== 0 && minor !== 1) || bytes[start + 8] !== SP) return this.#refuse(Causes.upstreamProtocolError, "invalid version");
    const hundreds = bytes[start + 9]! - 48;
    const tens = bytes[start + 10]! - 48;
    const ones = bytes[start + 11]! - 48;
    if (!(hundreds >= 1 && hundreds <= 9 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9)) {
      return this.#refuse(Causes.upstreamProtocolError, "invalid status code");
    }
    let at = start + 12;
    // The space before an empty reason is often left out (RFC 9112 §4 asks for it; servers do not always).
    if (bytes[at] === SP) at += 1;
    else if (bytes[at] !== CR) return this.#refuse(Causes.upstreamProtocolError, "invalid status line");
    const reasonStart = at;
    while (at < end && VALUE_BYTE[bytes[at]!] !== 0) at += 1;
    if (at + 1 >= end) return this.#unfinished(start, end);
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return this.#refuse(Causes.upstreamProtocolError, "status line does not end in CRLF");
    const reasonEnd = at;
    const next = this.#fieldLines(bytes, at + 2, start, end);
    if (next < 0) return next;
    const text = bytes.latin1Slice(start, next);
    this.minor = minor;
    this.status = hundreds * 100 + tens * 10 + ones;
    this.reason = text.slice(reasonStart - start, reasonEnd - start);
    this.#slice(text, start);
    return next;
  }

  /** Parses a trailer section (field lines and the empty line). Returns as parseRequest. */
  parseTrailers(bytes: Buffer, start: number, end: number): number {
    if (this.#parsedBytes !== 0 && this.#canWait(bytes, start, end)) return INCOMPLETE;
    const next = this.#fieldLines(bytes, start, start, end);
    if (next < 0) return next;
    this.#slice(bytes.latin1Slice(start, next), start);
    return next;
  }

  #fieldLines(bytes: Buffer, from: number, start: number, end: number): number {
    const offsets = this.#offsets;
    let at = from;
    let fields = 0;
    for (;;) {
      if (at >= end) return this.#unfinished(start, end);
      if (bytes[at] === CR) {
        if (at + 1 >= end) return this.#unfinished(start, end);
        if (bytes[at + 1] !== LF) return this.#refuse(Causes.badRequest, "bare CR in the head");
        at += 2;
        break;
      }
      const nameStart = at;
      let hash = 0;
      let lower = 0;
      while (at < end && (lower = TOKEN_LOWER[bytes[at]!]!) !== 0) {
        hash = hashStep(hash, lower);
        at += 1;
      }
      if (at === end) return this.#unfinished(start, end);
      // A space here is a folded line or one before the colon: both are refused (RFC 9112 §5.1, §5.2).
      if (bytes[at] !== COLON || at === nameStart) return this.#refuse(Causes.badRequest, "invalid header name");
      const nameEnd = at;
      at += 1;
      while (at < end && (bytes[at] === SP || bytes[at] === HT)) at += 1;
      const valueStart = at;
      while (at < end && VALUE_BYTE[bytes[at]!] !== 0) at += 1;
      if (at + 1 >= end)
        return at < end && bytes[at] !== CR ? this.#refuse(Causes.badRequest, "invalid header value") : this.#unfinished(start, end);
      if (bytes[at] !== CR || bytes[at + 1] !== LF) return this.#refuse(Causes.badRequest, "invalid header value");
      let valueEnd = at;
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HT)) valueEnd -= 1;
      at += 2;
      if (fields === this.#maxHeaders) return this.#refuse(Causes.tooManyHeaders, `more than ${this.#maxHeaders} headers`);
      const base = fields * 5;
      offsets[base] = nameStart;
      offsets[base + 1] = nameEnd;
      offsets[base + 2] = valueStart;
      offsets[base + 3] = valueEnd;
      offsets[base + 4] = lookupHeaderId(hash, bytes, nameStart, nameEnd);
      fields += 1;
    }
    if (at - start > this.#maxBytes) return this.#refuse(Causes.headersTooLarge, `head larger than ${this.#maxBytes} bytes`);
    this.#fields = fields;
    this.bytes = at - start;
    return at;
  }

  // A head is parsed from its beginning each time. One that comes in tiny pieces would cost the square of its length, so
  // it is parsed again only when a line has ended (there are at most maxHeaders) or it has doubled.
  #canWait(bytes: Buffer, start: number, end: number): boolean {
    const length = end - start;
    const parsed = this.#parsedBytes;
    if (parsed < SMALL_HEAD_BYTES || length >= 2 * parsed || length > this.#maxBytes) return false;
    if (bytes.subarray(start + this.#searchedBytes, end).includes(LF)) return false;
    this.#searchedBytes = length;
    return true;
  }

  #slice(text: string, start: number): void {
    this.#parsedBytes = 0;
    const scratch = this.#offsets;
    const fields = this.#fields;
    const offsets = new Array<number>(4 * fields + 1);
    const ids: number[] = [];
    for (let field = 0; field < fields; field += 1) {
      const from = 5 * field;
      const to = 4 * field;
      offsets[to] = scratch[from]! - start;
      offsets[to + 1] = scratch[from + 1]! - start;
      offsets[to + 2] = scratch[from + 2]! - start;
      offsets[to + 3] = scratch[from + 3]! - start;
      ids.push(scratch[from + 4]!);
    }
    // The last line ends where the empty line begins.
    offsets[4 * fields] = text.length - 2;
    this.headers = new HeaderList(text, offsets, ids);
  }

  #unfinished(start: number, end: number): number {
    if (end - start > this.#maxBytes) return this.#refuse(Causes.headersTooLarge, `head larger than ${this.#maxBytes} bytes`);
    this.#parsedBytes = this.#searchedBytes = end - start;
    return INCOMPLETE;
  }

  #refuseVersion(): number {
    return this.#refuse(Causes.badRequest, "unsupported protocol version");
  }

  #refuse(cause: Cause, detail: string): number {
    this.#parsedBytes = 0;
    this.error = cause;
    this.errorDetail = detail;
    return REFUSED;
  }
}

/** How a message's body is delimited, from its headers. */
export type Framing = { readonly kind: "none" | "chunked" | "until-close" } | { readonly kind: "length"; readonly length: number };

const NONE: Framing = { kind: "none" };
const CHUNKED: Framing = { kind: "chunked" };
const UNTIL_CLOSE: Framing = { kind: "until-close" };

/** A refused message: its cause and what exactly was wrong. */
export interface FramingError {
  readonly cause: Cause;
  readonly detail: string;
}

export function isFramingError(framing: Framing | FramingError): framing is FramingError {
  return "cause" in framing;
}

/**
 * Body framing by RFC 9112 §6.3. Anything ambiguous is refused: a repeated Content-Length, a length beside
 * Transfer-Encoding (unless allowed, then the length is dropped by the caller), any coding but one `chunked`.
 */
export function framingOf(headers: HeaderList, minor: number, response: boolean, allowChunkedLength: boolean): Framing | FramingError {
  const { ids } = headers;
  let length = -1;
  let chunked = false;
  for (let index = 0; index < ids.length; index += 1) {
    const id = ids[index]!;
    if (id === CONTENT_LENGTH) {
      const value = headers.valueAt(index);
      if (length >= 0) return { cause: Causes.badRequest, detail: "repeated content-length" };
      length = contentLengthOf(value);
      if (length < 0) return { cause: Causes.badRequest, detail: "invalid content-length" };
    } else if (id === TRANSFER_ENCODING) {
      const value = headers.valueAt(index);
      if (chunked) return { cause: Causes.badTransferEncoding, detail: "repeated transfer-encoding" };
      if (value !== "chunked" && value.toLowerCase() !== "chunked") {
        return { cause: Causes.badTransferEncoding, detail: "transfer-encoding other than chunked" };
      }
      // RFC 9112 §6.1: a transfer coding in HTTP/1.0 is faulty framing.
      if (minor === 0) return { cause: Causes.badRequest, detail: "transfer-encoding in HTTP/1.0" };
      chunked = true;
    }
  }
  if (chunked) {
    if (length >= 0 && !allowChunkedLength)
      return { cause: Causes.contentLengthAndChunked, detail: "content-length beside transfer-encoding" };
    return CHUNKED;
  }
  if (length > 0) return { kind: "length", length };
  if (length === 0) return NONE;
  return response ? UNTIL_CLOSE : NONE;
}

const CONTENT_LENGTH = HeaderId["content-length"];
const TRANSFER_ENCODING = HeaderId["transfer-encoding"];

/** Digits only, below 2^53; -1 for anything else (RFC 9110 §8.6). */
function contentLengthOf(text: string): number {
  if (text.length === 0 || text.length > 15) return -1;
  let value = 0;
  for (let index = 0; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
