// The fields of an HTTP/2 response as a response head, and trailers (RFC 9113 §8.1, §8.3.2).
import type { HeaderField } from "../header-field.ts";
import { HEADER_NAMES, HeaderId, UNKNOWN } from "../header-id.ts";
import { HeaderList } from "../header-list.ts";
import type { ResponseHead } from "../stream.ts";
import { contentLengthOf } from "./request-fields.ts";

const STATUS = HeaderId[":status"];
const REASON = HeaderId[":reason"];
const UPGRADE = HeaderId["upgrade"];
const CONTENT_LENGTH = HeaderId["content-length"];
const FIRST_PSEUDO = HeaderId[":method"];

const FORBIDDEN = new Uint8Array(HEADER_NAMES.length);
for (const name of ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] as const) FORBIDDEN[HeaderId[name]] = 1;

/** The head, or what is wrong with it. */
export function readResponseFields(fields: HeaderField[], listBytes: number, isMesh: boolean): ResponseHead | string {
  let status = 0;
  let reason = "";
  let index = 0;
  for (; index < fields.length; index += 1) {
    const field = fields[index]!;
    if (field.id < FIRST_PSEUDO) break;
    if (field.id === STATUS && status === 0) {
      status = statusOf(field.value);
      if (status === 0) break;
    } else if (isMesh && field.id === REASON && !field.isMalformed) reason = field.value;
    else return `unexpected ${field.name}`;
  }
  if (status === 0) return "no valid :status";
  let contentLength = -1;
  const headers = new HeaderList();
  for (; index < fields.length; index += 1) {
    const field = fields[index]!;
    const isChosen = isMesh && status === 101 && field.id === UPGRADE;
    if (field.isMalformed || (FORBIDDEN[field.id] === 1 && !isChosen) || field.id >= FIRST_PSEUDO)
      return `invalid header ${field.id === UNKNOWN ? "name or value" : field.name}`;
    if (field.id === CONTENT_LENGTH) {
      if (contentLength >= 0) return "repeated content-length";
      contentLength = contentLengthOf(field.value);
      if (contentLength < 0) return "invalid content-length";
    }
    headers.appendField(field);
  }
  return { status, reason, headers, contentLength, headBytes: Math.max(1, listBytes) };
}

/** Three digits, 100 and up; 0 for anything else. */
function statusOf(text: string): number {
  const status = contentLengthOf(text);
  return text.length === 3 && status >= 100 ? status : 0;
}

/** undefined where they are malformed. */
export function readTrailerFields(fields: HeaderField[]): HeaderList | undefined {
  const trailers = new HeaderList();
  for (const field of fields) {
    if (field.isMalformed || FORBIDDEN[field.id] === 1 || field.id >= FIRST_PSEUDO) return undefined;
    trailers.appendField(field);
  }
  return trailers;
}
