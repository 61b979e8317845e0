// One request of an HTTP/2 server connection and the sending of its response.
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import type { HeaderField } from "../header-field.ts";
import type { HeaderList } from "../header-list.ts";
import { isBodiless } from "../http1/serialize.ts";
import { opensTunnel, type DownstreamStream, type RequestHead, type RequestReceiver, type ResponseHead } from "../stream.ts";
import { sanitizeTrailers } from "../trailers.ts";
import { ErrorCode } from "./frame.ts";
import { Http2Stream } from "./http2-stream.ts";
import { readTrailerFields } from "./response-fields.ts";
import { CONNECTION_GONE, OUR_BUG, VIOLATION, type StreamSession } from "./session-seam.ts";

/** The connection, as its streams see it. */
export interface ServerStreamOwner {
  /** The response is whole, but not all of it could be sent. */
  onFlushing(stream: Http2ServerStream): void;
}

export class Http2ServerStream extends Http2Stream implements DownstreamStream {
  receiver: RequestReceiver | undefined = undefined;
  responseStarted = false;
  responseEnded = false;
  readonly #owner: ServerStreamOwner;
  #method = "GET";
  #upgrade = "";
  /** HTTP/1 over the mesh transport: a status means what it means there. */
  #isHttp1 = false;

  constructor(id: number, session: StreamSession, owner: ServerStreamOwner) {
    super(id, session);
    this.#owner = owner;
  }

  /** The request has been read. */
  open(head: RequestHead): void {
    this.#method = head.method;
    this.#upgrade = head.upgrade;
    this.#isHttp1 = head.protocol !== "HTTP/2";
    if (head.upgrade === "") this.expectBody(head.contentLength);
  }

  onHeaders(fields: HeaderField[], _listBytes: number, endStream: boolean): void {
    // RFC 9113 §8.5: a tunnel has DATA only.
    if (this.#upgrade !== "") return this.session.resetStream(this, ErrorCode.protocolError, "HEADERS in a tunnel");
    const trailers = endStream ? readTrailerFields(fields) : undefined;
    // §8.1: a second header block is trailers, and ends the request.
    if (trailers === undefined) this.session.rejectMessage(this, "invalid trailers");
    else this.receiveTrailers(sanitizeTrailers(trailers));
  }

  protected deliverData(piece: Uint8Array, end: boolean): void {
    this.receiver?.onRequestData(piece, end);
  }

  protected deliverTrailers(trailers: HeaderList): void {
    this.receiver?.onRequestTrailers(trailers);
  }

  onReset(code: number, detail: string): void {
    this.responseEnded = true;
    this.receiver?.onDownstreamReset(causeOf(code), detail);
  }

  onSendable(): void {
    this.receiver?.onDownstreamWritable();
  }

  sendInformational(head: ResponseHead): void {
    if (this.closed) return;
    const { output } = this.session;
    output.heads.response(head, head.status, false);
    output.sendBlock(this, false);
  }

  sendHeaders(head: ResponseHead, end: boolean): void {
    if (this.closed) return;
    this.responseStarted = true;
    const { output } = this.session;
    this.isTunnel = opensTunnel(this.#upgrade, head.status);
    // RFC 8441 §4: where HTTP/1 switches protocols, HTTP/2 says 200.
    output.heads.response(head, head.status === 101 && !this.#isHttp1 ? 200 : head.status, this.isTunnel);
    const last = end || (!this.isTunnel && isBodiless(this.#method, head.status));
    output.sendBlock(this, last);
    if (end) this.responseEnded = true;
    if (last) this.session.settle(this);
  }

  sendData(chunk: Uint8Array, end: boolean): boolean {
    if (!end) return this.send(chunk, false);
    this.responseEnded = true;
    const isSent = this.send(chunk, true);
    if (!isSent) this.#owner.onFlushing(this);
    return isSent;
  }

  sendTrailers(trailers: HeaderList): void {
    this.responseEnded = true;
    this.sendLast(trailers);
    if (this.hasOutput) this.#owner.onFlushing(this);
  }

  reset(_cause: Cause): void {
    this.responseEnded = true;
    this.session.cancelStream(this, this.#resetCode());
  }

  // RFC 9113 §8.5: a TCP connection that has failed. RFC 8441 §5 says it otherwise.
  #resetCode(): number {
    if (!this.isTunnel) return ErrorCode.internalError;
    return this.#upgrade === "connect" ? ErrorCode.connectError : ErrorCode.cancel;
  }

  pauseRequest(): void {
    this.pauseReceiving();
  }

  resumeRequest(): void {
    this.resumeReceiving();
  }
}

function causeOf(code: number): Cause {
  switch (code) {
    case CONNECTION_GONE:
      return Causes.downstreamDisconnect;
    case VIOLATION:
      return Causes.http2ConnectionError;
    case OUR_BUG:
      return Causes.internalErrorMidway;
    default:
      return Causes.downstreamReset;
  }
}
