// The response side of one request: writes heads, bodies, trailers and replies of our own to the client, and notes each
// in the stream's record. What to send, and when, is the router's to decide.
import type { Cause, Vantage } from "../failure/cause.ts";
import { ConstantHeader } from "../http/header-field.ts";
import { HeaderId } from "../http/header-id.ts";
import type { HeaderList } from "../http/header-list.ts";
import { isGrpc } from "../http/grpc/content-type.ts";
import { grpcStatusOf } from "../http/grpc/status.ts";
import { failureTrailers, grpcAnswer, localReply, sendReply } from "../http/local-reply.ts";
import type { DownstreamStream, RequestHead, ResponseHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { CompiledHeaderEdits } from "./header-edits.ts";
import type { RouterContext } from "./router-context.ts";
import { turnNow } from "../transport/turn-clock.ts";

export class ResponseSide {
  /** A final head was sent: nothing can take its place any more. */
  started = false;
  /** The response tells how often the request was tried. */
  countsAttempts = false;
  readonly #context: RouterContext;
  readonly #downstream: DownstreamStream;
  readonly #request: RequestHead;
  readonly #info: StreamInfo;
  /** The response that has begun is a gRPC one, whose trailers tell how it ended. */
  #endsInGrpcStatus = false;

  constructor(context: RouterContext, downstream: DownstreamStream, request: RequestHead, info: StreamInfo) {
    this.#context = context;
    this.#downstream = downstream;
    this.#request = request;
    this.#info = info;
  }

  sendInformational(head: ResponseHead): void {
    if (this.started) return;
    // Whose fault a failure was is said with the final response only.
    head.headers.remove(HeaderId["x-mesh-error"]);
    this.#downstream.sendInformational(head);
  }

  /** The head of an upstream's response. */
  sendUpstreamHeaders(head: ResponseHead, end: boolean, edits: CompiledHeaderEdits, now: number): void {
    const info = this.#info;
    info.upstreamResponseStartedAt = info.responseStartedAt = now;
    info.viaUpstream = true;
    info.responseHeadBytes = head.headBytes;
    const since = info.requestEndedAt < 0 ? info.startedAt : info.requestEndedAt;
    if (!this.#context.suppressEnvoyHeaders) head.headers.setConstant(serviceTime(Math.max(0, Math.round(now - since))));
    if (!edits.isEmpty) edits.apply(head.headers, info);
    this.#sendHeaders(head, end);
  }

  /** Answers false when the client reads too slowly. */
  sendData(chunk: Uint8Array, end: boolean): boolean {
    return this.#downstream.sendData(chunk, end);
  }

  sendTrailers(trailers: HeaderList): void {
    this.#downstream.sendTrailers(trailers);
  }

  /** Notes trailers before the stream is over, since they are sent after it. */
  noteTrailers(trailers: HeaderList): void {
    // Only a sidecar may say whose fault a failure was.
    if (this.#info.upstreamPeerUri === "") trailers.remove(HeaderId["x-mesh-error"]);
    this.#info.responseTrailers = trailers;
    this.#noteGrpcStatus(trailers);
  }

  /** A whole answer that the route gives by itself. */
  sendAnswer(head: ResponseHead, body: string, edits: CompiledHeaderEdits): void {
    const info = this.#info;
    info.responseStartedAt = turnNow();
    if (!edits.isEmpty) edits.apply(head.headers, info);
    if (info.isGrpc) return this.#sendHeaders(grpcAnswer(head, body), true);
    this.#sendHeaders(head, body === "");
    if (body === "") return;
    info.bytesSent = Buffer.byteLength(body);
    this.#downstream.sendData(Buffer.from(body), true);
  }

  /** The reply of our own that the failure table has for the cause; the status that was sent. */
  sendFailure(cause: Cause, vantage: Vantage, detail: string, edits: CompiledHeaderEdits | undefined): number {
    const info = this.#info;
    info.responseStartedAt = turnNow();
    this.started = true;
    const reply = localReply(this.#request, cause, info.flags, vantage, detail);
    const { head } = reply;
    // Envoy: what a route does to responses it does to these as well.
    if (edits?.isEmpty === false) edits.apply(head.headers, info);
    this.#finish(head);
    info.bytesSent = head.contentLength;
    sendReply(this.#downstream, reply);
    return head.status;
  }

  /** What is to be sent after a response that breaks off: trailers where the client looks for a status in them. */
  noteCut(cause: Cause, vantage: Vantage, detail: string): HeaderList | undefined {
    if (!this.#endsInGrpcStatus) return undefined;
    const trailers = failureTrailers(cause, this.#info.flags, vantage, detail);
    this.#info.responseTrailers = trailers;
    this.#noteGrpcStatus(trailers);
    return trailers;
  }

  /** Cuts a response that has begun. */
  reset(cause: Cause): void {
    this.#downstream.reset(cause);
  }

  #sendHeaders(head: ResponseHead, end: boolean): void {
    const info = this.#info;
    this.started = true;
    this.#finish(head);
    // Trailers need a body that was not announced as longer, and a client that can read them.
    this.#endsInGrpcStatus = info.isGrpc && head.contentLength < 0 && isGrpc(head.headers) && info.protocol !== "HTTP/1.0";
    this.#downstream.sendHeaders(head, end);
  }

  #finish(head: ResponseHead): void {
    const info = this.#info;
    if (this.countsAttempts) head.headers.set(HeaderId["x-envoy-attempt-count"], String(info.attempts));
    this.#context.finishResponse(head, info);
    info.responseCode = head.status;
    info.responseHeaders = head.headers;
    this.#noteGrpcStatus(head.headers);
  }

  #noteGrpcStatus(headers: HeaderList): void {
    if (this.#info.isGrpc) this.#info.grpcStatus = grpcStatusOf(headers) ?? this.#info.grpcStatus;
  }
}

// Most responses take few milliseconds: one field for each of their numbers.
const SERVICE_TIMES: ConstantHeader[] = [];
const MAX_SHARED_MS = 256;

function serviceTime(ms: number): ConstantHeader {
  if (ms >= MAX_SHARED_MS) return ConstantHeader.known(HeaderId["x-envoy-upstream-service-time"], String(ms));
  return (SERVICE_TIMES[ms] ??= ConstantHeader.known(HeaderId["x-envoy-upstream-service-time"], String(ms)));
}
