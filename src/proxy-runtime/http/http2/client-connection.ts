// The client side of an HTTP/2 connection: many requests at once to one host.
import type { Connection, ConnectionReceiver } from "../../transport/connection.ts";
import { TimerEntry, type Timers } from "../../transport/timers.ts";
import type { RequestHead, ResponseReceiver } from "../stream.ts";
import { Http2ClientStream, type ClientStreamOwner, type HostFacts } from "./client-stream.ts";
import { ErrorCode, MAX_STREAM_ID, errorName } from "./frame.ts";
import { Keepalive } from "./keepalive.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { Http2Session, type SessionOptions } from "./session.ts";
import { CONNECTION_GONE, VIOLATION, type SessionOwner, type SessionStream } from "./session-seam.ts";

/** The pool that owns the connection. */
export interface Http2ClientOwner {
  /** There is room for another stream, or none is left open. */
  onCapacity(client: Http2ClientConnection): void;
  /** The host has broken the protocol. */
  onProtocolError(client: Http2ClientConnection): void;
  /** No further stream may be opened; called once. Those that are open go on. */
  onUnusable(client: Http2ClientConnection): void;
  /** The connection is gone; called once, last. */
  onGone(client: Http2ClientConnection): void;
}

// Until the host has said how many: what RFC 9113 §6.5.2 tells it to allow at least. Another meshctl allows what we do.
const ASSUMED_STREAMS = 100;
// As Envoy's delayed_close_timeout: how long a host that was said goodbye to may take to close.
const LINGER_MS = 1000;

/** An extended CONNECT that waits for the host's settings. */
interface HeldConnect {
  readonly stream: Http2ClientStream;
  readonly head: RequestHead;
}

export class Http2ClientConnection implements ConnectionReceiver, SessionOwner, ClientStreamOwner {
  readonly connection: Connection;
  readonly host: HostFacts;
  /** The pool's. */
  idleTimer: TimerEntry | undefined = undefined;
  /** Streams begun on this connection. */
  requests = 0;
  readonly #session: Http2Session;
  readonly #owner: Http2ClientOwner;
  readonly #keepalive: Keepalive;
  readonly #options: SessionOptions;
  readonly #timers: Timers;
  readonly #lingerTimer = new TimerEntry(this, 0);
  #maxStreams: number;
  #nextId = 1;
  #usable = true;
  #closing = false;
  #hasSettings = false;
  /** undefined until the host's settings have come. */
  #takesConnect: boolean | undefined;
  #held: HeldConnect[] = [];
  /** What the connection is ended with. */
  #endCode: number = ErrorCode.noError;

  constructor(connection: Connection, host: HostFacts, options: SessionOptions, owner: Http2ClientOwner, timers: Timers) {
    this.connection = connection;
    this.host = host;
    this.#owner = owner;
    this.#session = new Http2Session(connection, options, this, false);
    this.#keepalive = new Keepalive(this.#session, options.config, timers);
    this.#options = options;
    this.#timers = timers;
    const { maxConcurrentStreams } = options.config;
    this.#maxStreams = options.isMesh ? maxConcurrentStreams : Math.min(ASSUMED_STREAMS, maxConcurrentStreams);
    this.#takesConnect = options.isMesh ? true : undefined;
    this.#session.begin();
  }

  get isUsable(): boolean {
    return this.#usable;
  }

  get activeStreams(): number {
    return this.#session.streams.size + this.#held.length;
  }

  get hasCapacity(): boolean {
    return this.#usable && this.activeStreams < this.#maxStreams && !this.#session.output.isOverfull;
  }

  /** The caller sends its head at once. */
  newStream(receiver: ResponseReceiver): Http2ClientStream {
    this.requests += 1;
    return new Http2ClientStream(this.#session, receiver, this);
  }

  open(stream: Http2ClientStream): void {
    const session = this.#session;
    this.#keepalive.onNewStream();
    stream.id = this.#nextId;
    stream.sendWindow = session.peerInitialWindow;
    this.#nextId += 2;
    session.floods.onStream();
    session.streams.add(stream);
    // §5.1.1: ids are not used again.
    if (this.#nextId > MAX_STREAM_ID) this.#retire();
  }

  // RFC 8441 §3: not before the host has said that it takes them.
  admitsConnect(stream: Http2ClientStream, head: RequestHead): boolean {
    if (this.#takesConnect === true) return true;
    this.#held.push({ stream, head });
    if (this.#takesConnect === false) queueMicrotask(() => this.#releaseHeld());
    return false;
  }

  forget(stream: Http2ClientStream): void {
    stream.closed = true;
    this.#held = this.#held.filter((each) => each.stream !== stream);
    this.onStreamClosed(stream);
  }

  #releaseHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const { stream, head } of held) {
      if (stream.closed) continue;
      if (this.#takesConnect === true) stream.begin(head, false);
      else this.#failHeld(stream, VIOLATION, `host takes no CONNECT to ${head.upgrade}`);
    }
  }

  #failHeld(stream: Http2ClientStream, code: number, detail: string): void {
    stream.closed = true;
    this.onStreamClosed(stream);
    stream.onReset(code, detail);
  }

  /** Takes no more streams; closes when the last has ended. */
  close(): void {
    this.#retire();
    this.#closeWhenIdle();
  }

  onBytes(buffer: Buffer, length: number): void {
    if (this.#closing) return;
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
    this.#timers.disarm(this.#lingerTimer);
    this.#keepalive.stop();
    this.#closing = true;
    this.#session.end(error);
    for (const { stream } of this.#held.splice(0)) this.#failHeld(stream, CONNECTION_GONE, error?.code ?? "connection closed");
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
    this.#session.refuseAbove(lastStreamId, `host is going away: ${detail === "" ? errorName(code) : detail}`);
    this.#closeWhenIdle();
  }

  onPeerSettings({ maxConcurrentStreams, connectProtocol }: PeerSettings): void {
    const most = this.#options.config.maxConcurrentStreams;
    if (maxConcurrentStreams >= 0) this.#maxStreams = Math.min(most, maxConcurrentStreams);
    // Never said: unlimited (RFC 9113 §6.5.2).
    else if (!this.#hasSettings) this.#maxStreams = most;
    this.#hasSettings = true;
    // RFC 8441 §3: what was allowed stays so.
    if (connectProtocol === 0 && this.#takesConnect === true && !this.#options.isMesh)
      return void this.#session.fail(ErrorCode.protocolError, "ENABLE_CONNECT_PROTOCOL taken back");
    if (connectProtocol === 1) this.#takesConnect = true;
    else this.#takesConnect ??= false;
    this.#releaseHeld();
    if (this.hasCapacity) this.#owner.onCapacity(this);
  }

  onPingAck(): void {
    // The keepalive has heard the bytes.
  }

  onMalformedMessage(): void {
    if (this.#options.config.streamErrorOnInvalidMessage || this.#options.isMesh) return;
    this.#endCode = ErrorCode.protocolError;
    this.close();
  }

  onProtocolError(): void {
    this.#closing = true;
    this.#owner.onProtocolError(this);
    this.#retire();
    this.#linger();
  }

  /** The host has not closed. */
  onTimer(): void {
    this.connection.destroy();
  }

  #linger(): void {
    this.#keepalive.stop();
    this.#timers.arm(this.#lingerTimer, LINGER_MS);
  }

  #retire(): void {
    if (!this.#usable) return;
    this.#usable = false;
    this.#owner.onUnusable(this);
  }

  #closeWhenIdle(): void {
    if (this.#closing || this.activeStreams > 0) return;
    this.#closing = true;
    this.#session.goaway(0, this.#endCode, "");
    this.connection.end();
    this.#linger();
  }
}
