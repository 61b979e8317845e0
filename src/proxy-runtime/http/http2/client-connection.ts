// The client side of an HTTP/2 connection: many requests at once to one host.
import type { Connection, ConnectionReceiver } from "../../transport/connection.ts";
import type { TimerEntry, Timers } from "../../transport/timers.ts";
import type { ResponseReceiver } from "../stream.ts";
import { Http2ClientStream, type HostFacts } from "./client-stream.ts";
import { ErrorCode, MAX_STREAM_ID } from "./frame.ts";
import { Keepalive } from "./keepalive.ts";
import { Http2Session, type SessionOptions } from "./session.ts";
import type { SessionOwner, SessionStream } from "./session-seam.ts";

/** The pool that owns the connection. */
export interface Http2ClientOwner {
  /** There is room for another stream, or none is left open. */
  onCapacity(client: Http2ClientConnection): void;
  /** No further stream may be opened; called once. Those that are open go on. */
  onUnusable(client: Http2ClientConnection): void;
  /** The connection is gone; called once, last. */
  onGone(client: Http2ClientConnection): void;
}

// Until the host has said how many: what RFC 9113 §6.5.2 tells it to allow at least.
const ASSUMED_STREAMS = 100;

export class Http2ClientConnection implements ConnectionReceiver, SessionOwner {
  readonly connection: Connection;
  readonly host: HostFacts;
  /** The pool's. */
  idleTimer: TimerEntry | undefined = undefined;
  /** Streams begun on this connection. */
  requests = 0;
  readonly #session: Http2Session;
  readonly #owner: Http2ClientOwner;
  readonly #keepalive: Keepalive;
  readonly #mostStreams: number;
  #maxStreams: number;
  #nextId = 1;
  #usable = true;
  #closing = false;

  constructor(connection: Connection, host: HostFacts, options: SessionOptions, owner: Http2ClientOwner, timers: Timers) {
    this.connection = connection;
    this.host = host;
    this.#owner = owner;
    this.#session = new Http2Session(connection, options, this, false);
    this.#keepalive = new Keepalive(this.#session, options.config, timers);
    this.#mostStreams = options.config.maxConcurrentStreams;
    this.#maxStreams = Math.min(ASSUMED_STREAMS, this.#mostStreams);
    this.#session.begin();
  }

  get isUsable(): boolean {
    return this.#usable;
  }

  get activeStreams(): number {
    return this.#session.streams.size;
  }

  get hasCapacity(): boolean {
    return this.#usable && this.#session.streams.size < this.#maxStreams;
  }

  newStream(receiver: ResponseReceiver): Http2ClientStream {
    const id = this.#nextId;
    this.#nextId += 2;
    this.requests += 1;
    const stream = new Http2ClientStream(id, this.#session, receiver, this.host);
    this.#session.streams.add(stream);
    if (this.#nextId > MAX_STREAM_ID) this.#retire();
    return stream;
  }

  /** Takes no more streams; closes when the last has ended. */
  close(): void {
    this.#retire();
    this.#closeWhenIdle();
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#keepalive.onActivity();
    this.#session.read(buffer, 0, length);
  }

  onWritable(): void {
    this.#session.onWritable();
  }

  onEnd(): void {
    this.#retire();
    this.connection.destroy();
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    this.#retire();
    this.#session.end(error);
    this.#keepalive.stop();
    this.#owner.onGone(this);
  }

  onNewStream(): void {
    this.#session.fail(ErrorCode.protocolError, "stream opened by the server");
  }

  // Odd ids are ours; even ones would be pushes, which are off.
  isIdleStream(streamId: number): boolean {
    return streamId % 2 === 0 || streamId >= this.#nextId;
  }

  onBlockBegun(): void {
    // The route's and the stream's timeouts watch over responses.
  }

  onStreamClosed(_stream: SessionStream): void {
    if (this.#usable) this.#owner.onCapacity(this);
    else this.#closeWhenIdle();
  }

  // RFC 9113 §6.8: streams above the last id were not and will not be seen; they may be tried again elsewhere.
  onGoaway(lastStreamId: number, code: number, detail: string): void {
    this.#retire();
    for (const stream of this.#session.streams.all()) {
      if (stream.id <= lastStreamId) continue;
      this.#session.close(stream);
      stream.onReset(ErrorCode.refusedStream, detail === "" ? `host is going away (${code})` : `host is going away: ${detail}`);
    }
    this.#closeWhenIdle();
  }

  onPeerSettings(maxConcurrentStreams: number): void {
    // Not said: unlimited (RFC 9113 §6.5.2).
    this.#maxStreams = Math.min(this.#mostStreams, maxConcurrentStreams < 0 ? Infinity : maxConcurrentStreams);
    if (this.hasCapacity) this.#owner.onCapacity(this);
  }

  onPingAck(): void {
    this.#keepalive.onPingAck();
  }

  onProtocolError(): void {
    this.#retire();
    this.#closing = true;
  }

  #retire(): void {
    if (!this.#usable) return;
    this.#usable = false;
    this.#owner.onUnusable(this);
  }

  #closeWhenIdle(): void {
    if (this.#closing || this.#session.streams.size > 0) return;
    this.#closing = true;
    this.#session.output.frames.goaway(0, ErrorCode.noError, "");
    this.connection.end();
  }
}
