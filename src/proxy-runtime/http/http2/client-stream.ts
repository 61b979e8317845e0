// One request to a host over HTTP/2, and the reading of its response.
import { formatAddress } from "../../../common/address.ts";
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import type { HeaderField } from "../header-field.ts";
import type { HeaderList } from "../header-list.ts";
import { isBodiless } from "../http1/serialize.ts";
import type { RequestHead, ResponseReceiver, UpstreamStream } from "../stream.ts";
import { sanitizeTrailers } from "../trailers.ts";
import { ErrorCode } from "./frame.ts";
import { Http2Stream } from "./http2-stream.ts";
import { readResponseFields, readTrailerFields } from "./response-fields.ts";
import { CONNECTION_GONE, OUR_BUG, VIOLATION, type StreamSession } from "./session-seam.ts";

/** Facts of the connection that its streams report. */
export interface HostFacts {
  readonly remoteAddress: string;
  readonly peerUri: string;
  /** When our own certificate had expired, if it had when the connection was opened; ms since 1970. */
  readonly ownExpiryMs: number | undefined;
}

export class Http2ClientStream extends Http2Stream implements UpstreamStream {
  readonly receiver: ResponseReceiver;
  readonly protocol = "HTTP/2";
  readonly #host: HostFacts;
  #method = "GET";
  #upgrade = "";
  #responseStarted = false;

  constructor(id: number, session: StreamSession, receiver: ResponseReceiver, host: HostFacts) {
    super(id, session);
    this.receiver = receiver;
    this.#host = host;
  }

  get remoteAddress(): string {
    return this.#host.remoteAddress;
  }

  get localAddress(): string {
    const { localAddress, localPort } = this.session.connection.socket;
    return localAddress === undefined ? "" : formatAddress(localAddress, localPort!);
  }

  get peerUri(): string {
    return this.#host.peerUri;
  }

  sendHeaders(head: RequestHead, end: boolean): void {
    this.#method = head.method;
    this.#upgrade = head.upgrade;
    const { output } = this.session;
    output.heads.request(head);
    output.sendBlock(this, end);
  }

  sendData(chunk: Uint8Array, end: boolean): boolean {
    return this.send(chunk, end);
  }

  sendTrailers(trailers: HeaderList): void {
    this.sendLast(trailers);
  }

  reset(): void {
    this.session.cancelStream(this, ErrorCode.cancel);
  }

  pauseResponse(): void {
    this.pauseReceiving();
  }

  resumeResponse(): void {
    this.resumeReceiving();
  }

  onHeaders(fields: HeaderField[], listBytes: number, endStream: boolean): void {
    if (this.#responseStarted) return this.#onTrailers(fields, endStream);
    const head = readResponseFields(fields, listBytes, this.session.isMesh);
    if (typeof head === "string") return this.session.resetStream(this, ErrorCode.protocolError, head);
    const { status } = head;
    if (status < 200) {
      // RFC 9113 §8.1, §8.6.
      if (endStream || status === 101) return this.session.resetStream(this, ErrorCode.protocolError, `status ${status} in HTTP/2`);
      if (status !== 100) this.receiver.onInformational(head);
      return;
    }
    this.#responseStarted = true;
    const isTunnel = this.#upgrade !== "" && status < 300;
    this.isTunnel = isTunnel;
    if (!isTunnel && !isBodiless(this.#method, status)) {
      if (endStream && head.contentLength > 0)
        return this.session.resetStream(this, ErrorCode.protocolError, "body does not fit its content-length");
      this.expectBody(head.contentLength);
    }
    if (endStream) this.remoteEnded = true;
    // RFC 8441 §4: where HTTP/2 says 200, HTTP/1 switches protocols.
    if (isTunnel && this.#upgrade !== "connect") head.status = 101;
    this.receiver.onResponseHeaders(head, endStream);
  }

  #onTrailers(fields: HeaderField[], endStream: boolean): void {
    const trailers = endStream ? readTrailerFields(fields) : undefined;
    if (trailers === undefined) this.session.resetStream(this, ErrorCode.protocolError, "invalid trailers");
    else this.receiveTrailers(sanitizeTrailers(trailers));
  }

  protected deliverData(piece: Uint8Array, end: boolean): void {
    if (this.#responseStarted) this.receiver.onResponseData(piece, end);
    else this.session.resetStream(this, ErrorCode.protocolError, "DATA before the response's head");
  }

  protected deliverTrailers(trailers: HeaderList): void {
    this.receiver.onResponseTrailers(trailers);
  }

  onReset(code: number, detail: string): void {
    const { ownExpiryMs } = this.#host;
    // TLS 1.3: the peer looks at our certificate after our side of the handshake is over, and closes.
    if (code === CONNECTION_GONE && !this.#responseStarted && ownExpiryMs !== undefined)
      this.receiver.onUpstreamReset(Causes.ownCertificateExpired, `own certificate expired at ${new Date(ownExpiryMs).toISOString()}`);
    else this.receiver.onUpstreamReset(this.#causeOf(code), detail);
  }

  #causeOf(code: number): Cause {
    const started = this.#responseStarted;
    switch (code) {
      case CONNECTION_GONE:
        return started ? Causes.upstreamClosedMidway : Causes.upstreamClosed;
      case OUR_BUG:
        return started ? Causes.internalErrorMidway : Causes.internalError;
      case VIOLATION:
        return started ? Causes.upstreamProtocolErrorMidway : Causes.upstreamProtocolError;
      case ErrorCode.refusedStream:
        return started ? Causes.upstreamResetMidway : Causes.upstreamRefused;
      default:
        return started ? Causes.upstreamResetMidway : Causes.upstreamReset;
    }
  }

  onSendable(): void {
    this.receiver.onUpstreamWritable();
  }
}
