// The server side of an HTTP/1 connection: requests one after the other, pipelined ones answered in order.
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import { INTERNAL_ERROR, type Connection } from "../../transport/connection.ts";
import type { Timers } from "../../transport/timers.ts";
import { Carry } from "../carry.ts";
import type { HeaderList } from "../header-list.ts";
import { sanitizeTrailers } from "../trailers.ts";
import type { ServerCodec, ServerConnectionOwner } from "../server-codec.ts";
import { BodyReader, type BodySink } from "./body-reader.ts";
import { HeadParser, INCOMPLETE, REFUSED, framingOf, isFramingError, type Framing, type HeadLimits } from "./head-parser.ts";
import { LingeringClose } from "./lingering-close.ts";
import { readRequestHead, type Http1Options, type RequestFacts } from "./request-head.ts";
import { Http1ServerStream, type AnsweredRequest, type ServerStreamOwner } from "./server-stream.ts";
import { turnNow } from "../../transport/turn-clock.ts";

export interface Http1ServerOptions extends Http1Options {
  readonly limits: HeadLimits;
  /** How long a connection that we close may go on sending before it is cut. */
  readonly delayedCloseTimeoutMs: number;
}

// A FIN right behind a request ends what the client has to say; one that comes later says that nobody waits any more.
const HALF_CLOSE_MS = 250;
const UNREADABLE: AnsweredRequest = { method: "GET", protocol: "HTTP/1.1", upgrade: "" };
const TUNNEL: Framing = { kind: "until-close" };
const EMPTY = Buffer.alloc(0);

export class Http1ServerConnection implements ServerCodec, BodySink, ServerStreamOwner {
  readonly connection: Connection;
  readonly #options: Http1ServerOptions;
  readonly #owner: ServerConnectionOwner;
  readonly #parser: HeadParser;
  readonly #body: BodyReader;
  readonly #carry = new Carry();
  readonly #closing: LingeringClose;
  #stream: Http1ServerStream | undefined = undefined;
  #requestPaused = false;
  #lingering = false;
  #parsing = false;
  #headBegun = false;
  #draining = false;
  #finishing = false;
  /** While reading: bytes behind what was read last. */
  #behind = 0;
  /** When the request was whole, ms of performance.now(). */
  #wholeAt = 0;
  #hasFin = false;
  #isFinHandled = false;

  constructor(connection: Connection, options: Http1ServerOptions, owner: ServerConnectionOwner, timers: Timers) {
    this.connection = connection;
    this.#options = options;
    this.#owner = owner;
    this.#parser = new HeadParser(options.limits);
    this.#body = new BodyReader(this.#parser);
    this.#closing = new LingeringClose(connection, timers, options.delayedCloseTimeoutMs);
  }

  /** No further request is read; an idle connection closes at once, a busy one says `connection: close`. */
  drain(): void {
    this.#draining = true;
  }

  finish(): void {
    this.#draining = true;
    this.#finishing = true;
    if (this.#stream === undefined && this.#carry.length === 0) this.#close();
  }

  failStreams(cause: Cause, detail: string): void {
    this.#stream?.receiver?.onDownstreamReset(cause, detail);
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** Requests that have come behind this one are answered before the connection ends. */
  get isLastResponse(): boolean {
    return this.#draining && !this.#hasMore;
  }

  get #hasMore(): boolean {
    return this.#parsing ? this.#behind > 0 : this.#carry.length > 0;
  }

  /** False while a part of the request's body has not been read. */
  get isRequestWhole(): boolean {
    return this.#body.isDone;
  }

  get isIdle(): boolean {
    return this.#stream === undefined;
  }

  /** True between the first byte of a head and its last. */
  get hasPartialHead(): boolean {
    return this.#stream === undefined && this.#carry.length > 0;
  }

  onBytes(buffer: Buffer, length: number): void {
    if (this.#lingering) return;
    if (this.#carry.length > 0) {
      this.#carry.append(buffer, 0, length);
      this.#readCarry();
      return;
    }
    const used = this.#read(buffer, 0, length);
    if (used < length && !this.#lingering) this.#carry.append(buffer, used, length);
    this.#adjustReading();
  }

  #readCarry(): void {
    // A read may end in a call back into here (resume, response done); the loop below then goes on by itself.
    if (this.#parsing || this.#carry.length === 0) return;
    const carry = this.#carry;
    const used = this.#read(carry.bytes, carry.start, carry.end);
    carry.consume(this.#lingering ? carry.end : used);
    this.#adjustReading();
  }

  /** Reads what can be read now; returns the offset behind it. */
  #read(bytes: Buffer, start: number, end: number): number {
    this.#parsing = true;
    let at = start;
    while (at < end && !this.#lingering) {
      if (this.#mustWait) break;
      const next = this.#stream === undefined ? this.#readHead(bytes, at, end) : this.#readBody(bytes, at, end);
      if (next === at) break;
      at = next;
    }
    this.#parsing = false;
    return at;
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    let at = start;
    // RFC 9112 §2.2: empty lines before a request line are skipped.
    while (at + 1 < end && bytes[at] === 13 && bytes[at + 1] === 10) at += 2;
    if (at === end || (at + 1 === end && bytes[at] === 13)) return at;
    const parser = this.#parser;
    const next = parser.parseRequest(bytes, at, end);
    if (next === INCOMPLETE) {
      if (!this.#headBegun) this.#owner.onHeadBegun();
      this.#headBegun = true;
      return at;
    }
    this.#headBegun = false;
    if (next === REFUSED) return this.#refuse(parser.error, parser.errorDetail, end);
    const framing = framingOf(parser.headers, parser.minor, false, this.#options.allowChunkedLength);
    if (isFramingError(framing)) return this.#refuse(framing.cause, framing.detail, end);
    const facts = readRequestHead(parser, framing, this.#options);
    if ("cause" in facts) return this.#refuse(facts.cause, facts.detail, end);
    this.#behind = end - next;
    this.#begin(facts, framing);
    return next;
  }

  #begin(facts: RequestFacts, framing: Framing): void {
    const { head, keepAlive, expectsContinue } = facts;
    const stream = new Http1ServerStream(this, head, keepAlive);
    this.#stream = stream;
    this.#body.start(framing);
    const end = this.#body.isDone;
    if (end) this.#wholeAt = turnNow();
    this.#owner.onRequest(stream, head, end && head.upgrade === "");
    // RFC 9110 §10.1.1: a request that was refused by its head alone gets its final answer and no invitation.
    if (expectsContinue && !end && this.#stream === stream && !stream.responseStarted) {
      this.connection.writer.writeText("HTTP/1.1 100 Continue\r\n\r\n");
    }
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    const next = this.#body.read(bytes, start, end, this);
    if (this.#body.isDone) this.#wholeAt = turnNow();
    this.#behind = end - next;
    if (next !== REFUSED) return next;
    const stream = this.#stream!;
    this.#body.stop();
    stream.closeAfterResponse();
    // Once a response has begun, closing the connection tells everybody; before that the receiver answers.
    if (stream.responseStarted) this.connection.destroy();
    else stream.receiver?.onDownstreamReset(Causes.badRequest, this.#body.errorDetail);
    return end;
  }

  #refuse(cause: Cause, detail: string, end: number): number {
    const stream = new Http1ServerStream(this, UNREADABLE, false);
    this.#stream = stream;
    this.#body.stop();
    this.#owner.onBadRequest(stream, cause, detail);
    return end;
  }

  /** The owner does not wait for the rest of a head. */
  refuseHead(cause: Cause, detail: string): void {
    if (this.#stream !== undefined || this.#lingering) return;
    this.#carry.consume(this.#carry.end);
    this.#refuse(cause, detail, 0);
  }

  onBody(piece: Uint8Array, end: boolean): boolean {
    this.#stream?.receiver?.onRequestData(piece, end);
    return !this.#requestPaused && this.#stream !== undefined;
  }

  onBodyTrailers(trailers: HeaderList): void {
    this.#stream?.receiver?.onRequestTrailers(sanitizeTrailers(trailers));
  }

  responseDone(stream: Http1ServerStream, keepAlive: boolean): void {
    if (this.#stream !== stream) return;
    const whole = this.#body.isDone;
    this.#stream = undefined;
    this.#requestPaused = false;
    this.#owner.onStreamDone(stream);
    if (!keepAlive || !whole || (this.#finishing && !this.#hasMore)) {
      this.#close();
      return;
    }
    this.#readCarry();
    this.#adjustReading();
  }

  openTunnel(stream: Http1ServerStream): void {
    if (this.#stream !== stream) return;
    this.#body.start(TUNNEL);
    this.#isFinHandled = false;
    if (this.#requestPaused) return;
    this.#readCarry();
    this.#adjustReading();
  }

  endTunnel(stream: Http1ServerStream): void {
    if (this.#stream !== stream) return;
    if (this.#body.isDone) this.responseDone(stream, false);
    else this.connection.end();
  }

  abort(stream: Http1ServerStream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#owner.onStreamDone(stream);
    this.connection.writer.flush();
    this.connection.destroy(true);
  }

  pauseRequest(): void {
    this.#requestPaused = true;
    this.#adjustReading();
  }

  resumeRequest(): void {
    if (!this.#requestPaused) return;
    this.#requestPaused = false;
    this.#readCarry();
    this.#adjustReading();
  }

  // A body's next piece while its receiver is busy, the next request before the last one's answer; after that answer, for
  // the client to read enough of it: who pipelines and never reads would fill the memory.
  get #mustWait(): boolean {
    return this.#stream === undefined ? this.connection.writer.isBlocked : this.#requestPaused || this.#body.isDone;
  }

  // Reading stops while the body may not flow, and while a pipelined request, or what follows an upgrade, waits for its turn.
  #adjustReading(): void {
    if (this.#parsing) return;
    const waiting = (this.#stream !== undefined && this.#requestPaused) || (this.#carry.length > 0 && this.#mustWait);
    if (!this.#lingering && waiting) return this.connection.pause();
    this.connection.resume();
    if (this.#hasFin && !this.#isFinHandled && !this.#lingering) this.#onFin();
  }

  #close(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    this.#closing.begin();
  }

  onWritable(): void {
    if (this.#stream !== undefined) return this.#stream.receiver?.onDownstreamWritable();
    this.#readCarry();
    this.#adjustReading();
  }

  onEnd(): void {
    this.#hasFin = true;
    // Bytes that came before it go first, past a pause (TLS delivers the end through one).
    this.#adjustReading();
  }

  /** The client's half has ended, and everything before that was read. */
  #onFin(): void {
    const stream = this.#stream;
    if (stream === undefined) return this.#close();
    this.#isFinHandled = true;
    if (this.#body.endsWithConnection) {
      this.#body.stop();
      stream.receiver?.onRequestData(EMPTY, true);
      if (stream.responseEnded && this.#stream === stream) this.responseDone(stream, false);
    } else if (this.#body.isDone && turnNow() - this.#wholeAt < HALF_CLOSE_MS) {
      stream.closeAfterResponse();
    } else {
      this.#stream = undefined;
      this.#body.stop();
      stream.receiver?.onDownstreamReset(Causes.downstreamDisconnect, "client closed the connection");
      this.#owner.onStreamDone(stream);
      this.#lingering = true;
      this.connection.destroy();
    }
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    this.#closing.onClosed();
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream !== undefined) {
      if (error?.code === INTERNAL_ERROR) stream.receiver?.onDownstreamReset(Causes.internalErrorMidway, error.message);
      else stream.receiver?.onDownstreamReset(Causes.downstreamDisconnect, error?.code ?? "client closed the connection");
      this.#owner.onStreamDone(stream);
    }
    this.#owner.onConnectionClosed(error);
  }
}
