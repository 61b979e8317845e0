// The proxy's own answer in place of an upstream's: rendered from a row of the failure table, for plain HTTP and gRPC,
// and always saying who failed and why in `x-mesh-error`.
import { blameOf, type Cause, type Vantage } from "../failure/causes.ts";
import { HeaderId } from "./header-id.ts";
import { HeaderList } from "./header-list.ts";
import type { DownstreamStream, RequestHead, ResponseHead } from "./stream.ts";

/** `UF; by=server; detail="…"`: flag, who is to blame, and what exactly happened. */
export function meshErrorValue(cause: Cause, vantage: Vantage, detail: string): string {
  const text = detail === "" ? cause.details : detail;
  return `${cause.flag}; by=${blameOf(cause, vantage)}; detail="${text.replace(/["\\\r\n]/g, "'").replace(/[^\x20-\x7e]/g, "?")}"`;
}

/** Sends a reply with the cause's status and body. Nothing of a response may have been sent before. */
export function sendLocalReply(
  stream: DownstreamStream,
  request: RequestHead | undefined,
  cause: Cause,
  vantage: Vantage,
  detail: string,
): ResponseHead {
  const isGrpc = request?.headers.get(HeaderId["content-type"])?.startsWith("application/grpc") === true;
  const body = isGrpc ? "" : cause.body;
  const headers = new HeaderList();
  if (isGrpc) {
    headers.append(HeaderId["content-type"], "content-type", "application/grpc");
    headers.append(HeaderId["grpc-status"], "grpc-status", String(cause.grpcStatus));
    headers.append(HeaderId["grpc-message"], "grpc-message", percentEncode(cause.body === "" ? cause.details : cause.body));
  } else if (body !== "") {
    headers.append(HeaderId["content-type"], "content-type", "text/plain");
  }
  headers.append(HeaderId["content-length"], "content-length", String(Buffer.byteLength(body)));
  headers.append(HeaderId["date"], "date", new Date().toUTCString());
  if (cause.flag === "UO") headers.append(HeaderId["x-envoy-overloaded"], "x-envoy-overloaded", "true");
  headers.append(HeaderId["x-mesh-error"], "x-mesh-error", meshErrorValue(cause, vantage, detail));
  const head: ResponseHead = {
    status: isGrpc ? 200 : cause.httpStatus,
    reason: "",
    headers,
    contentLength: Buffer.byteLength(body),
    headBytes: 0,
  };
  stream.sendHeaders(head, body === "");
  if (body !== "") stream.sendData(Buffer.from(body), true);
  return head;
}

/** gRPC's percent encoding of status messages: everything but printable ASCII without `%`. */
function percentEncode(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]/g, (char) =>
    [...Buffer.from(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}
