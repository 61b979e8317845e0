// One exchange on an HTTP/1 client connection: the writing of its request.
import { formatAddress } from "../../../common/address.ts";
import type { Connection } from "../../transport/connection.ts";
import { HeaderId } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";
import type { RequestHead, ResponseReceiver, UpstreamStream } from "../stream.ts";
import { fieldLines, lastChunk } from "./serialize.ts";

const CONTENT_LENGTH = HeaderId["content-length"];

/** The connection, as its stream sees it. */
export interface ClientStreamOwner {
  readonly connection: Connection;
  readonly remoteAddress: string;
  readonly peerUri: string;
  /** The stream gave up: what is on the wire can no longer be told apart. */
  abandon(stream: Http1ClientStream): void;
  pauseResponse(): void;
  resumeResponse(): void;
}

export class Http1ClientStream implements UpstreamStream {
  readonly receiver: ResponseReceiver;
  readonly protocol = "HTTP/1.1";
  method = "";
  requestEnded = false;
  /** Set when the connection has nothing more to do with this stream. */
  closed = false;
  readonly #client: ClientStreamOwner;
  #chunked = false;

  constructor(client: ClientStreamOwner, receiver: ResponseReceiver) {
    this.#client = client;
    this.receiver = receiver;
  }

  get remoteAddress(): string {
    return this.#client.remoteAddress;
  }

  get localAddress(): string {
    const { localAddress, localPort } = this.#client.connection.socket;
    return localAddress === undefined ? "" : formatAddress(localAddress, localPort!);
  }

  get peerUri(): string {
    return this.#client.peerUri;
  }

  sendHeaders(head: RequestHead, end: boolean): void {
    this.method = head.method;
    let text = `${head.method} ${head.path} HTTP/1.1\r\n`;
    if (head.contentLength >= 0) {
      text += fieldLines(head.headers, "keep");
      // Route configuration may have removed it; the body is delimited by it all the same.
      if (!head.headers.has(CONTENT_LENGTH)) text += `content-length: ${head.contentLength}\r\n`;
    } else {
      text += fieldLines(head.headers, "drop");
      if (!end) {
        this.#chunked = true;
        text += "transfer-encoding: chunked\r\n";
      }
    }
    this.#client.connection.writer.writeText(text + "\r\n");
    this.requestEnded = end;
  }

  sendData(chunk: Uint8Array, end: boolean): boolean {
    if (this.closed) return true;
    const writer = this.#client.connection.writer;
    if (this.#chunked) {
      if (chunk.length > 0) {
        writer.writeText(`${chunk.length.toString(16)}\r\n`);
        writer.writeBytes(chunk);
        writer.writeText(end ? "\r\n0\r\n\r\n" : "\r\n");
      } else if (end) writer.writeText("0\r\n\r\n");
    } else writer.writeBytes(chunk);
    if (end) this.requestEnded = true;
    return !writer.isBlocked;
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.closed) return;
    if (this.#chunked) this.#client.connection.writer.writeText(lastChunk(trailers));
    this.requestEnded = true;
  }

  reset(): void {
    if (this.closed) return;
    this.closed = true;
    this.#client.abandon(this);
  }

  pauseResponse(): void {
    if (!this.closed) this.#client.pauseResponse();
  }

  resumeResponse(): void {
    if (!this.closed) this.#client.resumeResponse();
  }
}
