// One request of an HTTP/1 server connection and the writing of its response.
import type { Cause } from "../../failure/cause.ts";
import { HeaderId } from "../header-id.ts";
import type { Connection } from "../../transport/connection.ts";
import type { HeaderList } from "../header-list.ts";
import { opensTunnel, type DownstreamStream, type RequestHead, type RequestReceiver, type ResponseHead } from "../stream.ts";
import { fieldLines, isBodiless, lastChunk, statusLine, upgradeLines } from "./serialize.ts";

const CONTENT_LENGTH = HeaderId["content-length"];

/** What the stream has to know of its request; all that is known of one that could not be read. */
export type AnsweredRequest = Pick<RequestHead, "method" | "protocol" | "upgrade">;

/** The connection, as its stream sees it. */
export interface ServerStreamOwner {
  readonly connection: Connection;
  /** No other follows on this connection. */
  readonly isLastResponse: boolean;
  /** The request's last byte has been read. */
  readonly isRequestWhole: boolean;
  /** The response's last byte was handed over. */
  responseDone(stream: Http1ServerStream, keepAlive: boolean): void;
  /** The response can't be finished: the client must not take it for whole. */
  abort(stream: Http1ServerStream): void;
  /** The head that opens a tunnel was written: what follows the request goes to the stream as it is. */
  openTunnel(stream: Http1ServerStream): void;
  /** Our half of the tunnel has ended. */
  endTunnel(stream: Http1ServerStream): void;
  pauseRequest(): void;
  resumeRequest(): void;
}

export class Http1ServerStream implements DownstreamStream {
  receiver: RequestReceiver | undefined = undefined;
  responseStarted = false;
  responseEnded = false;
  readonly #server: ServerStreamOwner;
  readonly #request: AnsweredRequest;
  readonly #http10: boolean;
  #keepAlive: boolean;
  #chunked = false;
  #bodiless = false;
  #isTunnel = false;

  constructor(server: ServerStreamOwner, request: AnsweredRequest, keepAlive: boolean) {
    this.#server = server;
    this.#request = request;
    this.#http10 = request.protocol === "HTTP/1.0";
    this.#keepAlive = keepAlive;
  }

  /** The connection is not used again once this response is out. */
  closeAfterResponse(): void {
    this.#keepAlive = false;
  }

  sendInformational(head: ResponseHead): void {
    // RFC 9110 §15.2: not to be sent to an HTTP/1.0 client.
    if (this.#http10) return;
    this.#server.connection.writer.writeText(statusLine(head.status, head.reason) + fieldLines(head.headers, "drop") + "\r\n");
  }

  sendHeaders(head: ResponseHead, end: boolean): void {
    this.responseStarted = true;
    const { method, upgrade } = this.#request;
    if (upgrade !== "") {
      if (opensTunnel(upgrade, head.status)) return this.#openTunnel(head, end);
      // What follows a CONNECT was meant for somebody else: nothing of it may be read as a request.
      if (upgrade === "connect") this.#keepAlive = false;
    }
    // An answer that does not wait for the rest of its request is the last on its connection (RFC 9112 §9.6), as Envoy's is:
    // whether the rest comes before the answer's end can't be told here.
    if (this.#server.isLastResponse || !this.#server.isRequestWhole) this.#keepAlive = false;
    this.#bodiless = isBodiless(method, head.status);
    let text = statusLine(head.status, head.reason);
    if (this.#bodiless) {
      text += fieldLines(head.headers, head.status === 204 ? "drop" : "keep");
    } else if (head.contentLength >= 0) {
      text += fieldLines(head.headers, "keep");
      // Route configuration may have removed it; the body is delimited by it all the same.
      if (!head.headers.has(CONTENT_LENGTH)) text += `content-length: ${head.contentLength}\r\n`;
    } else {
      text += fieldLines(head.headers, "drop");
      if (end) text += "content-length: 0\r\n";
      else if (this.#http10) this.#keepAlive = false;
      else {
        this.#chunked = true;
        text += "transfer-encoding: chunked\r\n";
      }
    }
    if (!this.#keepAlive) text += "connection: close\r\n\r\n";
    else if (this.#http10) text += "connection: keep-alive\r\n\r\n";
    else text += "\r\n";
    this.#server.connection.writer.writeText(text);
    if (end) this.#finish();
  }

  sendData(chunk: Uint8Array, end: boolean): boolean {
    const writer = this.#server.connection.writer;
    if (this.#isTunnel) {
      writer.writeBytes(chunk);
      if (end) this.#endTunnel();
      return !writer.isBlocked;
    }
    if (!this.#bodiless && chunk.length > 0) {
      if (this.#chunked) {
        writer.writeText(`${chunk.length.toString(16)}\r\n`);
        writer.writeBytes(chunk);
        writer.writeText(end ? "\r\n0\r\n\r\n" : "\r\n");
      } else writer.writeBytes(chunk);
    } else if (end && this.#chunked) writer.writeText("0\r\n\r\n");
    if (end) this.#finish();
    return !writer.isBlocked;
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#isTunnel) return this.#endTunnel();
    if (this.#chunked) this.#server.connection.writer.writeText(lastChunk(trailers));
    this.#finish();
  }

  reset(_cause: Cause): void {
    if (this.responseEnded) return;
    this.responseEnded = true;
    this.#server.abort(this);
  }

  pauseRequest(): void {
    this.#server.pauseRequest();
  }

  resumeRequest(): void {
    this.#server.resumeRequest();
  }

  #openTunnel(head: ResponseHead, end: boolean): void {
    this.#isTunnel = true;
    this.#server.connection.writer.writeText(
      `${statusLine(head.status, head.reason)}${fieldLines(head.headers, "drop")}${upgradeLines(head.headers, this.#request.upgrade)}\r\n`,
    );
    this.#server.openTunnel(this);
    if (end) this.#endTunnel();
  }

  #endTunnel(): void {
    this.responseEnded = true;
    this.#server.endTunnel(this);
  }

  #finish(): void {
    this.responseEnded = true;
    this.#server.responseDone(this, this.#keepAlive);
  }
}
