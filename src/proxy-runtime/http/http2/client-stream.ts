// One request to a host over HTTP/2, and the reading of its response.
import { formatAddress } from "../../../common/address.ts";
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import type { HeaderField } from "../header-field.ts";
import type { HeaderList } from "../header-list.ts";
import { isBodiless } from "../http1/serialize.ts";
import { opensTunnel, type RequestHead, type ResponseReceiver, type UpstreamStream } from "../stream.ts";
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

// Each is written to the client at once, whether it reads or not.
const MAX_INFORMATIONAL = 100;

/** The connection, as its streams see it. */
export interface ClientStreamOwner {
  readonly host: HostFacts;
  /** Gives the stream its id: its HEADERS follow. */
  open(stream: Http2ClientStream): void;
  /** Whether an extended CONNECT may be sent now. Else the stream is begun, or reset, when the host's settings have come. */
  admitsConnect(stream: Http2ClientStream, head: RequestHead): boolean;
  /** A stream that waits for that has been given up. */
  forget(stream: Http2ClientStream): void;
}

export class Http2ClientStream extends Http2Stream implements UpstreamStream {
  readonly receiver: ResponseReceiver;
  readonly protocol = "HTTP/2";
  readonly #owner: ClientStreamOwner;
  #method = "GET";
  #upgrade = "";
  /** HTTP/1 over the mesh transport: a status means what it means there. */
  #isHttp1 = false;
  #responseStarted = false;
  #informational = 0;

  constructor(session: StreamSession, receiver: ResponseReceiver, owner: ClientStreamOwner) {
    super(0, session);
    this.receiver = receiver;
    this.#owner = owner;
  }

  get remoteAddress(): string {
    return this.#owner.host.remoteAddress;
  }

  get localAddress(): string {
    const { localAddress, localPort } = this.session.connection.socket;
    return localAddress === undefined ? "" : formatAddress(localAddress, localPort!);
  }

  get peerUri(): string {
    return this.#owner.host.peerUri;
  }

  sendHeaders(head: RequestHead, end: boolean): void {
    const { upgrade } = head;
    this.#method = head.method;
    this.#upgrade = upgrade;
    this.#isHttp1 = this.session.isMesh && head.protocol !== "HTTP/2";
    if (upgrade === "" || upgrade === "connect" || this.#owner.admitsConnect(this, head)) this.begin(head, end);
  }

  begin(head: RequestHead, end: boolean): void {
    this.#owner.open(this);
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
    if (this.id > 0) this.session.cancelStream(this, ErrorCode.cancel);
    else this.#owner.forget(this);
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
    if (typeof head === "string") return this.session.rejectMessage(this, head);
    const { status } = head;
    const isTunnel = this.#opensTunnel(status);
    if (status < 200 && !isTunnel) {
      // RFC 9113 §8.1, §8.6.
      if (endStream || status === 101) return this.session.rejectMessage(this, `status ${status} in HTTP/2`);
      this.#informational += 1;
      if (this.#informational > MAX_INFORMATIONAL)
        return this.session.resetStream(this, ErrorCode.enhanceYourCalm, `more than ${MAX_INFORMATIONAL} informational responses`);
      if (status !== 100) this.receiver.onInformational(head);
      return;
    }
    this.isTunnel = isTunnel;
    if (!isTunnel) {
      const isWithoutBody = isBodiless(this.#method, status);
      if (endStream && !isWithoutBody && head.contentLength > 0)
        return this.session.rejectMessage(this, "body does not fit its content-length");
      // §8.1.1: what has no content may still tell its length.
      this.expectBody(isWithoutBody ? 0 : head.contentLength);
    }
    this.#responseStarted = true;
    if (endStream) this.remoteEnded = true;
    if (isTunnel && this.#upgrade !== "connect") head.status = 101;
    this.receiver.onResponseHeaders(head, endStream);
  }

  // RFC 8441 §4: where HTTP/1 switches protocols, HTTP/2 says 200, and can't say that a server has answered without switching.
  #opensTunnel(status: number): boolean {
    return this.#isHttp1 ? opensTunnel(this.#upgrade, status) : this.#upgrade !== "" && status >= 200 && status < 300;
  }

  #onTrailers(fields: HeaderField[], endStream: boolean): void {
    // §8.5: a tunnel has DATA only.
    if (this.isTunnel) return this.session.resetStream(this, ErrorCode.protocolError, "HEADERS in a tunnel");
    const trailers = endStream ? readTrailerFields(fields) : undefined;
    if (trailers === undefined) this.session.rejectMessage(this, "invalid trailers");
    else this.receiveTrailers(sanitizeTrailers(trailers));
  }

  protected deliverData(piece: Uint8Array, end: boolean): void {
    if (this.#responseStarted) this.receiver.onResponseData(piece, end);
    else this.session.rejectMessage(this, "DATA before the response's head");
  }

  protected deliverTrailers(trailers: HeaderList): void {
    this.receiver.onResponseTrailers(trailers);
  }

  onReset(code: number, detail: string): void {
    const { ownExpiryMs } = this.#owner.host;
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
