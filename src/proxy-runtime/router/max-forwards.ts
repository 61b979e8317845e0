// TRACE and OPTIONS say by Max-Forwards how far they want to go (RFC 9110 §7.6.2): every proxy counts down, and the one
// that finds 0 answers in the server's place.
import { HeaderId } from "../http/header-id.ts";
import { HeaderList } from "../http/header-list.ts";
import type { RequestHead, ResponseHead } from "../http/stream.ts";

const MAX_FORWARDS = "max-forwards";
// RFC 9110 §9.3.8: what may be secret is not reflected.
const SECRET = new Set(["authorization", "proxy-authorization", "cookie", "x-forwarded-client-cert"]);

export interface LastAnswer {
  readonly head: ResponseHead;
  readonly body: string;
}

/** The answer where the request goes no further; else counts one less. */
export function takeMaxForwards(request: RequestHead): LastAnswer | undefined {
  const { method, headers } = request;
  if (method !== "OPTIONS" && method !== "TRACE") return undefined;
  const left = headers.getByName(MAX_FORWARDS);
  if (left === undefined || !/^[0-9]{1,15}$/.test(left)) return undefined;
  if (Number(left) === 0) return method === "TRACE" ? answerWith(reflection(request), "message/http") : answerWith("", "");
  headers.setByName("Max-Forwards", String(Number(left) - 1));
  return undefined;
}

function answerWith(body: string, contentType: string): LastAnswer {
  const headers = new HeaderList();
  if (contentType !== "") headers.append(HeaderId["content-type"], "content-type", contentType);
  const contentLength = Buffer.byteLength(body);
  headers.append(HeaderId["content-length"], "content-length", String(contentLength));
  return { head: { status: 200, reason: "", headers, contentLength, headBytes: 0 }, body };
}

/** The request's head as a message. */
function reflection({ method, path, protocol, headers }: RequestHead): string {
  const flat = headers.toFlat();
  let text = `${method} ${path} ${protocol}\r\n`;
  for (let index = 0; index < flat.length; index += 2) {
    if (!SECRET.has(flat[index]!.toLowerCase())) text += `${flat[index]}: ${flat[index + 1]}\r\n`;
  }
  return `${text}\r\n`;
}
