// The upstream side of a CONNECT that ends at this proxy (Envoy's connect_config): a plain connection, whose opening is
// the answer and whose bytes are the tunnel's.
import { formatAddress } from "../../common/address.ts";
import { Causes } from "../failure/causes.ts";
import type { Connection, ConnectionReceiver } from "../transport/connection.ts";
import { HeaderList } from "./header-list.ts";
import type { ResponseReceiver, UpstreamStream } from "./stream.ts";

const EMPTY = Buffer.alloc(0);

export class TunnelStream implements UpstreamStream, ConnectionReceiver {
  readonly remoteAddress: string;
  readonly peerUri: string;
  readonly protocol = "";
  readonly #connection: Connection;
  readonly #receiver: ResponseReceiver;
  readonly #onGone: () => void;
  #isOpen = false;
  #isPaused = false;
  #requestEnded = false;
  #responseEnded = false;
  /** The receiver is not called any more. */
  #closed = false;

  /** @param onGone called once, when the connection is closed. */
  constructor(connection: Connection, remoteAddress: string, peerUri: string, receiver: ResponseReceiver, onGone: () => void) {
    this.#connection = connection;
    this.remoteAddress = remoteAddress;
    this.peerUri = peerUri;
    this.#receiver = receiver;
    this.#onGone = onGone;
  }

  get localAddress(): string {
    const { localAddress, localPort } = this.#connection.socket;
    return localAddress === undefined ? "" : formatAddress(localAddress, localPort!);
  }

  /** The head stays here; the answer comes as soon as the caller has returned, or with the first bytes. */
  sendHeaders(): void {
    queueMicrotask(() => this.#open());
  }

  #open(): void {
    if (this.#isOpen || this.#closed) return;
    this.#isOpen = true;
    this.#receiver.onResponseHeaders({ status: 200, reason: "", headers: new HeaderList(), contentLength: -1, headBytes: 0 }, false);
  }

  sendData(chunk: Uint8Array, end: boolean): boolean {
    if (this.#closed) return true;
    const { writer } = this.#connection;
    writer.writeBytes(chunk);
    if (end) this.#endRequest();
    return !writer.isBlocked;
  }

  sendTrailers(): void {
    if (!this.#closed) this.#endRequest();
  }

  #endRequest(): void {
    this.#requestEnded = true;
    this.#connection.end();
    if (this.#responseEnded) this.#closed = true;
  }

  reset(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.destroy(true);
  }

  pauseResponse(): void {
    this.#isPaused = true;
    this.#connection.pause();
  }

  resumeResponse(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#connection.resume();
  }

  onBytes(buffer: Buffer, length: number): void {
    // TLS may deliver bytes in the very turn in which its handshake ends.
    this.#open();
    if (!this.#closed) this.#receiver.onResponseData(length === buffer.length ? buffer : buffer.subarray(0, length), false);
  }

  onEnd(): void {
    this.#open();
    if (this.#closed) return;
    this.#responseEnded = true;
    this.#receiver.onResponseData(EMPTY, true);
    if (this.#requestEnded) this.#closed = true;
  }

  onWritable(): void {
    if (!this.#closed) this.#receiver.onUpstreamWritable();
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    this.#onGone();
    if (this.#closed) return;
    this.#closed = true;
    const cause = this.#isOpen ? Causes.upstreamClosedMidway : Causes.upstreamClosed;
    this.#receiver.onUpstreamReset(cause, `${this.remoteAddress}: ${error?.code ?? "connection closed"}`);
  }
}
