// The proxy's own answer in place of an upstream's: rendered from a row of the failure table, for plain HTTP and gRPC,
// and always saying who failed and why in `x-mesh-error`.
import { codeFromHttpStatus } from "../../xds/grpc-status.ts";
import { blameOf, type Cause, type Vantage } from "../failure/cause.ts";
import { isGrpc } from "./grpc/content-type.ts";
import { encodeGrpcMessage } from "./grpc/status.ts";
import { HeaderId } from "./header-id.ts";
import { HeaderList } from "./header-list.ts";
import type { DownstreamStream, RequestHead, ResponseHead } from "./stream.ts";

/** `UF; by=server; detail="…"`: flags, who is to blame, and what exactly happened. */
export function meshErrorValue(cause: Cause, flags: string, vantage: Vantage, detail: string): string {
  const text = detail === "" ? cause.details : detail;
  return `${flags}; by=${blameOf(cause, vantage)}; detail="${text.replace(/["\\\r\n]/g, "'").replace(/[^\x20-\x7e]/g, "?")}"`;
}

export interface LocalReply {
  readonly head: ResponseHead;
  readonly body: string;
}

/**
 * A reply with the cause's status and body.
 * @param flags the cause's, and what the stream's record has beside it.
 */
export function localReply(request: RequestHead | undefined, cause: Cause, flags: string, vantage: Vantage, detail: string): LocalReply {
  const toGrpc = request !== undefined && isGrpc(request.headers);
  const body = toGrpc ? "" : cause.body;
  const headers = new HeaderList();
  if (toGrpc) {
    headers.append(HeaderId["content-type"], "content-type", "application/grpc");
    appendGrpcStatus(headers, cause);
  } else {
    if (body !== "") headers.append(HeaderId["content-type"], "content-type", "text/plain");
    headers.append(HeaderId["content-length"], "content-length", String(Buffer.byteLength(body)));
  }
  if (cause.flag === "UO") headers.append(HeaderId["x-envoy-overloaded"], "x-envoy-overloaded", "true");
  headers.append(HeaderId["x-mesh-error"], "x-mesh-error", meshErrorValue(cause, flags, vantage, detail));
  const head: ResponseHead = {
    status: toGrpc ? 200 : cause.httpStatus,
    reason: "",
    headers,
    contentLength: Buffer.byteLength(body),
    headBytes: 0,
  };
  return { head, body };
}

/** Nothing of a response may have been sent before. */
export function sendReply(stream: DownstreamStream, { head, body }: LocalReply): void {
  stream.sendHeaders(head, body === "");
  if (body !== "") stream.sendData(Buffer.from(body), true);
}

/**
 * A route's own answer as a gRPC client understands it: the status that the HTTP status stands for, the body as its
 * message. Envoy's; a grpc-status that the route has set stays.
 */
export function grpcAnswer({ status, headers }: ResponseHead, body: string): ResponseHead {
  headers.remove(HeaderId["content-length"]);
  headers.set(HeaderId["content-type"], "application/grpc");
  if (!headers.has(HeaderId["grpc-status"])) headers.set(HeaderId["grpc-status"], String(codeFromHttpStatus(status)));
  if (body !== "") headers.set(HeaderId["grpc-message"], encodeGrpcMessage(body));
  return { status: 200, reason: "", headers, contentLength: 0, headBytes: 0 };
}

/** Trailers that end a gRPC response which has begun: they say what the reply would have said. */
export function failureTrailers(cause: Cause, flags: string, vantage: Vantage, detail: string): HeaderList {
  const trailers = new HeaderList();
  appendGrpcStatus(trailers, cause);
  trailers.append(HeaderId["x-mesh-error"], "x-mesh-error", meshErrorValue(cause, flags, vantage, detail));
  return trailers;
}

function appendGrpcStatus(headers: HeaderList, cause: Cause): void {
  headers.append(HeaderId["grpc-status"], "grpc-status", String(cause.grpcStatus));
  headers.append(HeaderId["grpc-message"], "grpc-message", encodeGrpcMessage(cause.body === "" ? cause.details : cause.body));
}
