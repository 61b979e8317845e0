// The server side of an HTTP/2 connection: requests as streams, and an end that fails none of them.
import { performance } from "node:perf_hooks";
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import type { Connection } from "../../transport/connection.ts";
import { TimerEntry, type Timers } from "../../transport/timers.ts";
import type { HeaderField } from "../header-field.ts";
import { HeaderList } from "../header-list.ts";
import type { ServerCodec, ServerConnectionOwner } from "../server-codec.ts";
import type { Flood } from "./flood-guard.ts";
import { FlushWatch } from "./flush-watch.ts";
import { ErrorCode, MAX_STREAM_ID, PREFACE } from "./frame.ts";
import { Keepalive } from "./keepalive.ts";
import { readRequestFields, type RequestFields } from "./request-fields.ts";
import { Http2ServerStream, type ServerStreamOwner } from "./server-stream.ts";
import { Http2Session, type SessionOptions } from "./session.ts";
import type { SessionOwner, SessionStream } from "./session-seam.ts";

export interface Http2ServerOptions extends SessionOptions {
  readonly delayedCloseTimeoutMs: number;
  /** From the first GOAWAY to the last (Envoy's drain_timeout), should the peer not answer a PING before. */
  readonly drainTimeoutMs: number;
  /** How long a client may take nothing of a whole response; 0: for ever. */
  readonly streamIdleTimeoutMs: number;
}

const DRAIN = 0;
const LINGER = 1;
const DRAIN_PING = Buffer.from("goodbye.");

export class Http2ServerConnection implements ServerCodec, SessionOwner, ServerStreamOwner {
  readonly #session: Http2Session;
  readonly #options: Http2ServerOptions;
  readonly #owner: ServerConnectionOwner;
  readonly #timers: Timers;
  readonly #drainTimer = new TimerEntry(this, DRAIN);
  readonly #lingerTimer = new TimerEntry(this, LINGER);
  readonly #keepalive: Keepalive;
  #flushes: FlushWatch<Http2ServerStream> | undefined = undefined;
  #prefaceBytes = 0;
  #draining = false;
  #isFinalGoawaySent = false;
  #closing = false;
  #unsentBytes = 0;

  constructor(connection: Connection, options: Http2ServerOptions, owner: ServerConnectionOwner, timers: Timers) {
    this.#options = options;
    this.#owner = owner;
    this.#timers = timers;
    this.#session = new Http2Session(connection, options, this, true);
    this.#keepalive = new Keepalive(this.#session, options.config, timers);
    this.#session.begin();
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  get isIdle(): boolean {
    return this.#session.streams.size === 0;
  }

  get hasPartialHead(): boolean {
    return this.#session.isInBlock || this.#prefaceBytes < PREFACE.length;
  }

  // The timer may be older than the end of the block that it was for.
  refuseHead(_cause: Cause, detail: string): void {
    if (this.hasPartialHead) this.#session.fail(ErrorCode.enhanceYourCalm, detail);
  }

  // RFC 9113 §6.8: first a GOAWAY that takes everything, and when the peer must have seen it, one that names the last stream.
  drain(): void {
    if (this.#draining || this.#closing) return;
    this.#draining = true;
    const session = this.#session;
    session.goaway(MAX_STREAM_ID, ErrorCode.noError, "");
    session.output.frames.ping(0, DRAIN_PING, 0);
    this.#timers.arm(this.#drainTimer, this.#options.drainTimeoutMs);
  }

  finish(): void {
    this.drain();
  }

  failStreams(cause: Cause, detail: string): void {
    for (const stream of this.#session.streams.all()) (stream as Http2ServerStream).receiver?.onDownstreamReset(cause, detail);
  }

  onBytes(buffer: Buffer, length: number): void {
    let at = 0;
    while (this.#prefaceBytes < PREFACE.length && at < length) {
      if (buffer[at] !== PREFACE[this.#prefaceBytes]) return void this.#session.fail(ErrorCode.protocolError, "invalid preface");
      at += 1;
      this.#prefaceBytes += 1;
    }
    if (this.#closing) return;
    this.#keepalive.onActivity();
    if (at < length) this.#session.read(buffer, at, length);
  }

  onNewStream(streamId: number, fields: HeaderField[], listBytes: number, endStream: boolean, isTooLarge: boolean): void {
    const session = this.#session;
    if (streamId % 2 === 0) return void session.fail(ErrorCode.protocolError, "even stream id from a client");
    session.peerIds.open(streamId);
    session.floods.onStream();
    if (this.#isFinalGoawaySent || session.streams.size >= session.settings.maxConcurrentStreams) return session.refuseStream(streamId);
    session.lastTakenId = streamId;
    const stream = new Http2ServerStream(streamId, session, this);
    session.streams.add(stream);
    stream.remoteEnded = endStream;
    if (isTooLarge) return this.#refuse(stream, Causes.http2HeadersTooLarge, "header list too large");
    const request = readRequestFields(fields, listBytes, endStream, {
      isMesh: session.isMesh,
      allowConnect: session.settings.allowConnect,
    });
    if ("cause" in request) return this.#refuse(stream, request.cause, request.detail);
    stream.open(request.head);
    if (!endStream || request.head.upgrade === "") return this.#begin(stream, request, endStream);
    // The end belongs to the tunnel, should there be one.
    stream.remoteEnded = false;
    this.#owner.onRequest(stream, request.head, false);
    if (stream.closed) return;
    stream.receiveData(NOTHING, 0, 0, true);
    session.settle(stream);
  }

  #begin(stream: Http2ServerStream, { head, expectsContinue }: RequestFields, endStream: boolean): void {
    this.#owner.onRequest(stream, head, endStream);
    // RFC 9110 §10.1.1: a request that was refused by its head alone gets its final answer and no invitation.
    if (expectsContinue && !stream.responseStarted) stream.sendInformational(CONTINUE);
  }

  // The client is told on the stream what was wrong (RFC 9113 §8.1.1), and after that, unless it is to be forgiven, gets no other.
  #refuse(stream: Http2ServerStream, cause: Cause, detail: string): void {
    const session = this.#session;
    const isMalformed = cause === Causes.http2Malformed;
    if (isMalformed) {
      session.stats.count("rx_messaging_error");
      session.earlyEndCode = ErrorCode.protocolError;
    }
    this.#owner.onBadRequest(stream, cause, detail);
    session.earlyEndCode = ErrorCode.noError;
    session.cancelStream(stream, ErrorCode.protocolError);
    if (session.admit(session.floods.onReset(performance.now())) && isMalformed) this.onMalformedMessage(detail);
  }

  onMalformedMessage(detail: string): void {
    if (!this.#options.config.streamErrorOnInvalidMessage && !this.#session.isMesh) this.#sendFinalGoaway(ErrorCode.protocolError, detail);
  }

  isIdleStream(streamId: number): boolean {
    return streamId % 2 === 0 || streamId > this.#session.peerIds.last;
  }

  onBlockBegun(): void {
    this.#owner.onHeadBegun();
  }

  onFlushing(stream: Http2ServerStream): void {
    const { streamIdleTimeoutMs } = this.#options;
    if (streamIdleTimeoutMs === 0) return;
    this.#flushes ??= new FlushWatch(this.#timers, streamIdleTimeoutMs, (stuck) => {
      this.#session.stats.count("tx_flush_timeout");
      this.#session.cancelStream(stuck, ErrorCode.cancel);
    });
    this.#flushes.watch(stream);
  }

  onStreamClosed(stream: SessionStream): void {
    this.#flushes?.forget(stream as Http2ServerStream);
    this.#owner.onStreamDone(stream as Http2ServerStream);
    if (this.#isFinalGoawaySent) this.#closeWhenIdle();
  }

  onGoaway(): void {
    // The client opens no further streams; it closes the connection when it is done.
  }

  onPeerSettings(): void {
    // A server opens no streams.
  }

  onPingAck(payload: Buffer, start: number): void {
    if (this.#draining && DRAIN_PING.equals(payload.subarray(start, start + 8))) this.#sendFinalGoaway(ErrorCode.noError, "");
  }

  onTimer(kind: number): void {
    if (kind === DRAIN) return this.#sendFinalGoaway(ErrorCode.noError, "");
    // Time counts from the last byte that went out, or a slow reader would lose the end of its response.
    const { connection } = this.#session;
    const { unsentBytes } = connection;
    if (unsentBytes === 0 || unsentBytes === this.#unsentBytes) return connection.destroy();
    this.#unsentBytes = unsentBytes;
    this.#timers.arm(this.#lingerTimer, this.#options.delayedCloseTimeoutMs);
  }

  #sendFinalGoaway(code: number, detail: string): void {
    if (this.#isFinalGoawaySent || this.#closing) return;
    this.#draining = true;
    this.#isFinalGoawaySent = true;
    this.#timers.disarm(this.#drainTimer);
    const session = this.#session;
    session.goaway(session.lastTakenId, code, detail);
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    if (this.#session.streams.size === 0) this.#close();
  }

  // FIN first, then a while for the client to read what is on its way and to close.
  #close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#keepalive.stop();
    this.#session.connection.end();
    this.#timers.arm(this.#lingerTimer, this.#options.delayedCloseTimeoutMs);
  }

  onProtocolError(detail: string, flood: Flood | undefined): void {
    this.#owner.onProtocolError(detail, flood !== undefined && flood.counter === undefined);
    this.#close();
  }

  onWritable(): void {
    this.#session.onWritable();
  }

  onEnd(): void {
    // Who has closed its half waits for nothing any more.
    if (this.#session.streams.size > 0) this.#session.connection.destroy();
    else this.#close();
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    this.#session.end(error);
    this.#timers.disarm(this.#drainTimer);
    this.#timers.disarm(this.#lingerTimer);
    this.#keepalive.stop();
    this.#owner.onConnectionClosed(error);
  }
}

const NOTHING = Buffer.alloc(0);
const CONTINUE = { status: 100, reason: "", headers: new HeaderList(), contentLength: -1, headBytes: 0 };
