// What goes out on one HTTP/2 connection: header blocks in the order of their encoding, data as far as windows and the
// socket let it, and turns for those who wait.
import type { Http2Config } from "../../config/http2-config.ts";
import type { SocketWriter } from "../../transport/socket-writer.ts";
import type { HeaderList } from "../header-list.ts";
import type { Flood, FloodGuard } from "./flood-guard.ts";
import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from "./frame.ts";
import { FrameWriter, MAX_DATA_BYTES } from "./frame-writer.ts";
import { HeadEncoder } from "./head-encoder.ts";
import type { SessionSender, SessionStream } from "./session-seam.ts";
import { TurnQueue } from "./turn-queue.ts";

export class SessionOutput implements SessionSender {
  readonly frames: FrameWriter;
  readonly heads: HeadEncoder;
  readonly #writer: SocketWriter;
  readonly #floods: FloodGuard;
  readonly #turns: TurnQueue;
  readonly #maxUnread: number;
  #window = DEFAULT_WINDOW_BYTES;

  constructor(writer: SocketWriter, floods: FloodGuard, config: Http2Config, isMesh: boolean) {
    this.#writer = writer;
    this.#floods = floods;
    this.frames = new FrameWriter(writer);
    this.heads = new HeadEncoder(config.hpackTableBytes, isMesh);
    this.#maxUnread = config.maxOutboundFrames;
    this.#turns = new TurnQueue(() => this.#window > 0 && !writer.isBlocked);
  }

  get isBlocked(): boolean {
    return this.#writer.isBlocked;
  }

  /** The peer does not read, and too much waits for it. */
  get isOverfull(): boolean {
    return this.frames.unread > this.#maxUnread && this.#writer.isBlocked;
  }

  /** What a peer that does not read has us keep, if it is too much. To be asked before each read. */
  get unreadFlood(): Flood | undefined {
    const { frames } = this;
    if (this.#writer.isBlocked) return this.#floods.onUnread(frames.unread, frames.unreadControl);
    frames.unread = frames.unreadControl = 0;
    return undefined;
  }

  /** The socket has taken everything. */
  onWritable(): void {
    this.frames.unread = this.frames.unreadControl = 0;
    this.takeTurns();
  }

  /** The block that `heads` has just encoded. */
  sendBlock(stream: SessionStream, endStream: boolean): void {
    this.frames.headers(stream.id, this.heads.block, this.heads.length, endStream);
    if (endStream) stream.localEnded = true;
  }

  sendTrailers(stream: SessionStream, trailers: HeaderList): void {
    this.heads.trailers(trailers);
    this.sendBlock(stream, true);
  }

  /** Sends what windows and the socket have room for; with all of it the end, if it is one. Answers how much went. */
  sendData(stream: SessionStream, data: Uint8Array, end: boolean): number {
    const { length } = data;
    let at = 0;
    while (at < length) {
      const size = Math.min(length - at, MAX_DATA_BYTES, this.#window, stream.sendWindow);
      // What can't be read stays with its stream, which counts against the peer's limit as long as it is open.
      if (size <= 0 || this.#writer.isFull) return at;
      this.#window -= size;
      stream.sendWindow -= size;
      const last = end && at + size === length;
      this.frames.data(stream.id, data, at, at + size, last);
      this.#floods.onDataSent();
      if (last) stream.localEnded = true;
      at += size;
    }
    if (length === 0 && end) {
      this.frames.data(stream.id, data, 0, 0, true);
      stream.localEnded = true;
    }
    return at;
  }

  /** The stream has something to send, or waits for room only. */
  queue(stream: SessionStream): void {
    this.#turns.add(stream);
  }

  takeTurns(): void {
    this.#turns.run();
  }

  onStreamClosed(stream: SessionStream): void {
    if (stream.isQueued) this.#turns.onClosed();
  }

  /** The peer lets us send more. Answers false where the window grows beyond what is allowed. */
  widen(increment: number): boolean {
    this.#window += increment;
    return this.#window <= MAX_WINDOW_BYTES;
  }
}
