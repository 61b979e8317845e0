// One exchange on an HTTP/1 client connection: the writing of its request.
import { formatAddress } from "../../../common/address.ts";
import type { Connection } from "../../transport/connection.ts";
import { HeaderId } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";
import type { RequestHead, ResponseReceiver, UpstreamStream } from "../stream.ts";
import { connectionOptions } from "./connection-options.ts";
import { fieldLines, lastChunk, upgradeLines } from "./serialize.ts";

const CONTENT_LENGTH = HeaderId["content-length"];
// RFC 9110 §8.6: of others a server may ask for their length (411), which a client of HTTP/2 need not say.
const WITHOUT_CONTENT = new Set(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"]);

/** The connection, as its stream sees it. */
export interface ClientStreamOwner {
  readonly connection: Connection;
  readonly remoteAddress: string;
  readonly peerUri: string;
  /** The stream gave up: what is on the wire can no longer be told apart. */
  abandon(stream: Http1ClientStream): void;
  pauseResponse(): void;
  resumeResponse(): void;
  /** Our half of the tunnel has ended. */
  endTunnel(stream: Http1ClientStream): void;
}

export class Http1ClientStream implements UpstreamStream {
  readonly receiver: ResponseReceiver;
  readonly protocol = "HTTP/1.1";
  method = "";
  /** What the request asks for; see RequestHead. */
  upgrade = "";
  isTunnel = false;
  requestEnded = false;
  /** The host closes the connection after its response: the request was of HTTP/1.0 and did not ask otherwise. */
  isLast = false;
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
    const { headers, contentLength, upgrade } = head;
    this.method = head.method;
    // Its version is the application's to know (a deliberate difference from RFC 9112 §2.3), unless it can't be said in it.
    const http10 = head.protocol === "HTTP/1.0" && (contentLength >= 0 || end);
    let text = `${head.method} ${targetOf(head)} ${http10 ? "HTTP/1.0" : "HTTP/1.1"}\r\n`;
    if (upgrade !== "") {
      this.upgrade = upgrade;
      text += fieldLines(headers, "drop") + upgradeLines(headers, upgrade);
    } else if (contentLength >= 0) {
      text += fieldLines(headers, "keep");
      // Route configuration may have removed it; the body is delimited by it all the same.
      if (!headers.has(CONTENT_LENGTH)) text += `content-length: ${contentLength}\r\n`;
    } else {
      text += fieldLines(headers, "drop");
      if (!end) {
        this.#chunked = true;
        text += "transfer-encoding: chunked\r\n";
      } else if (head.protocol === "HTTP/2" && !WITHOUT_CONTENT.has(head.method)) text += "content-length: 0\r\n";
    }
    if (http10) {
      if (connectionOptions(headers).includes("keep-alive")) text += "connection: keep-alive\r\n";
      else this.isLast = true;
    }
    this.#client.connection.writer.writeText(text + "\r\n");
    this.requestEnded = end;
  }

  sendData(chunk: Uint8Array, end: boolean): boolean {
    if (this.closed) return true;
    const writer = this.#client.connection.writer;
    if (this.upgrade !== "") {
      // Whoever does not wait for the answer would have bytes of a tunnel read as a request.
      if (!this.isTunnel) throw new Error("data before the answer to an upgrade");
      writer.writeBytes(chunk);
      if (end) this.#endTunnel();
      return !writer.isBlocked;
    }
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
    if (this.isTunnel) return this.#endTunnel();
    if (this.#chunked) this.#client.connection.writer.writeText(lastChunk(trailers));
    this.requestEnded = true;
  }

  #endTunnel(): void {
    this.requestEnded = true;
    this.#client.endTunnel(this);
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

/** The request target in the form in which it came (RFC 9112 §3.2). */
function targetOf({ upgrade, authority, isAbsoluteForm, scheme, path }: RequestHead): string {
  if (upgrade === "connect") return authority;
  if (!isAbsoluteForm) return path;
  return `${scheme}://${authority}${path === "*" ? "" : path}`;
}
