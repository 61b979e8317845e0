// The client side of an HTTP/1 connection: one request at a time, and what is left of it for the next.
import type { Cause } from "../../failure/cause.ts";
import { Causes } from "../../failure/causes.ts";
import { INTERNAL_ERROR, type Connection, type ConnectionReceiver } from "../../transport/connection.ts";
import type { TimerEntry } from "../../transport/timers.ts";
import { Carry } from "../carry.ts";
import { HeaderId } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";
import { sanitizeTrailers } from "../trailers.ts";
import { opensTunnel, type ResponseHead, type ResponseReceiver } from "../stream.ts";
import { BodyReader, type BodySink } from "./body-reader.ts";
import { HeadParser, INCOMPLETE, REFUSED, framingOf, isFramingError, type HeadLimits } from "./head-parser.ts";
import { Http1ClientStream, type ClientStreamOwner } from "./client-stream.ts";
import { isOffered } from "./connection-options.ts";
import { readPersistence } from "./persistence.ts";
import { isBodiless } from "./serialize.ts";

const UPGRADE = HeaderId["upgrade"];

// Each is written to the client at once, whether it reads or not.
const MAX_INFORMATIONAL = 100;

/** The pool that owns the connection. */
export interface ClientConnectionOwner {
  /** The exchange is over and the connection may carry another. */
  onIdle(client: Http1ClientConnection): void;
  /** The connection is gone or will not be used again; called once. */
  onUnusable(client: Http1ClientConnection): void;
}

export class Http1ClientConnection implements ConnectionReceiver, BodySink, ClientStreamOwner {
  readonly connection: Connection;
  readonly remoteAddress: string;
  readonly peerUri: string;
  /** The pool's. */
  idleTimer: TimerEntry | undefined = undefined;
  /** When our own certificate had expired, if it had when the connection was opened; ms since 1970. */
  ownExpiryMs: number | undefined = undefined;
  /** Requests begun on this connection. */
  requests = 0;
  readonly #owner: ClientConnectionOwner;
  readonly #parser: HeadParser;
  readonly #body: BodyReader;
  readonly #carry = new Carry();
  #exchange: Http1ClientStream | undefined = undefined;
  #usable = true;
  #responseStarted = false;
  #responseKeepAlive = true;
  #informational = 0;
  #paused = false;
  #parsing = false;
  #endedWhilePaused = false;

  constructor(connection: Connection, remoteAddress: string, peerUri: string, owner: ClientConnectionOwner, limits: HeadLimits) {
    this.connection = connection;
    this.remoteAddress = remoteAddress;
    this.peerUri = peerUri;
    this.#owner = owner;
    this.#parser = new HeadParser(limits);
    this.#body = new BodyReader(this.#parser);
  }

  /** Begins an exchange. The connection must be idle. */
  newStream(receiver: ResponseReceiver): Http1ClientStream {
    const exchange = new Http1ClientStream(this, receiver);
    this.#exchange = exchange;
    this.#responseStarted = false;
    this.#responseKeepAlive = true;
    this.#informational = 0;
    this.requests += 1;
    return exchange;
  }

  get isUsable(): boolean {
    return this.#usable;
  }

  /** Closes the connection, at once when idle, else when the exchange is over. */
  close(): void {
    this.#responseKeepAlive = false;
    if (this.#exchange === undefined) this.#retire();
  }

  onBytes(buffer: Buffer, length: number): void {
    if (this.#exchange === undefined) {
      // Nobody asked: an unsolicited response would be taken for the answer to the next request.
      this.#retire();
      return;
    }
    if (this.#carry.length > 0) {
      this.#carry.append(buffer, 0, length);
      this.#readCarry();
      return;
    }
    const used = this.#read(buffer, 0, length);
    if (used < length && this.#exchange !== undefined) this.#carry.append(buffer, used, length);
    this.#adjustReading();
  }

  #readCarry(): void {
    if (this.#parsing || this.#carry.length === 0) return;
    const used = this.#read(this.#carry.bytes, this.#carry.start, this.#carry.end);
    this.#carry.consume(this.#exchange === undefined ? this.#carry.end : used);
    this.#adjustReading();
  }

  #read(bytes: Buffer, start: number, end: number): number {
    this.#parsing = true;
    let at = start;
    while (at < end && this.#exchange !== undefined && !this.#paused) {
      const next = this.#responseStarted ? this.#readBody(bytes, at, end) : this.#readHead(bytes, at, end);
      if (next === at) break;
      at = next;
    }
    this.#parsing = false;
    // Bytes behind the end of a response belong to nothing.
    if (at < end && this.#exchange === undefined && this.#usable) this.#retire();
    return at;
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    const parser = this.#parser;
    const next = parser.parseResponse(bytes, start, end);
    if (next === INCOMPLETE) return start;
    if (next === REFUSED) {
      this.#fail(Causes.upstreamProtocolError, parser.errorDetail);
      return end;
    }
    const exchange = this.#exchange!;
    const { status } = parser;
    if (opensTunnel(exchange.upgrade, status)) this.#openTunnel(exchange);
    else if (status < 200) this.#onInformational(exchange);
    else return this.#onFinalHead(exchange, next, end);
    return next;
  }

  #onInformational(exchange: Http1ClientStream): void {
    const { status, reason, headers, bytes } = this.#parser;
    this.#informational += 1;
    if (status === 101) this.#fail(Causes.upstreamProtocolError, "101 without an upgrade request");
    else if (this.#informational > MAX_INFORMATIONAL) {
      this.#fail(Causes.upstreamProtocolError, `more than ${MAX_INFORMATIONAL} informational responses`);
    }
    // 100 was answered already, when the client asked for it.
    else if (status !== 100) exchange.receiver.onInformational({ status, reason, headers, contentLength: -1, headBytes: bytes });
  }

  #openTunnel(exchange: Http1ClientStream): void {
    const { status, reason, headers, bytes } = this.#parser;
    if (exchange.upgrade !== "connect" && !isOffered(headers.joined(UPGRADE), exchange.upgrade)) {
      return this.#fail(Causes.upstreamProtocolError, "101 to a protocol that was not asked for");
    }
    readPersistence(headers, 1);
    this.#responseStarted = true;
    this.#body.start({ kind: "until-close" });
    exchange.isTunnel = true;
    exchange.receiver.onResponseHeaders({ status, reason, headers, contentLength: -1, headBytes: bytes }, false);
    if (exchange.requestEnded && this.#exchange === exchange) this.connection.end();
  }

  /** @returns the offset behind the head, or `end` where the connection can't be read any further. */
  #onFinalHead(exchange: Http1ClientStream, next: number, end: number): number {
    const { status, minor, reason, headers, bytes } = this.#parser;
    // An upgrade that was refused is a request without a body.
    if (exchange.upgrade !== "") exchange.requestEnded = true;
    const bodiless = isBodiless(exchange.method, status);
    const framing = framingOf(headers, minor, true, false);
    if (isFramingError(framing)) {
      this.#fail(Causes.upstreamProtocolError, framing.detail);
      return end;
    }
    if (!readPersistence(headers, minor) || exchange.isLast) this.#responseKeepAlive = false;
    this.#responseStarted = true;
    this.#body.start(bodiless ? { kind: "none" } : framing);
    const ended = this.#body.isDone;
    const contentLength = framing.kind === "length" ? framing.length : framing.kind === "none" ? 0 : -1;
    const head: ResponseHead = { status, reason, headers, contentLength, headBytes: bytes };
    if (this.#body.endsWithConnection) this.#responseKeepAlive = false;
    exchange.receiver.onResponseHeaders(head, ended);
    if (ended && this.#exchange === exchange) this.#responseDone();
    return next;
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    const exchange = this.#exchange!;
    const next = this.#body.read(bytes, start, end, this);
    if (next === REFUSED) {
      this.#fail(Causes.upstreamProtocolErrorMidway, this.#body.errorDetail);
      return end;
    }
    if (this.#body.isDone && this.#exchange === exchange) this.#responseDone();
    return next;
  }

  onBody(piece: Uint8Array, end: boolean): boolean {
    this.#exchange?.receiver.onResponseData(piece, end);
    return !this.#paused && this.#exchange !== undefined;
  }

  onBodyTrailers(trailers: HeaderList): void {
    this.#exchange?.receiver.onResponseTrailers(sanitizeTrailers(trailers));
  }

  #responseDone(): void {
    const exchange = this.#exchange!;
    this.#exchange = undefined;
    this.#paused = false;
    exchange.closed = true;
    // A host that answers before it has read the request leaves the rest of it on the wire: no other may follow.
    if (this.#responseKeepAlive && exchange.requestEnded && !this.connection.isEnded) {
      this.connection.resume();
      this.#owner.onIdle(this);
    } else this.#retire();
  }

  #fail(cause: Cause, detail: string): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#retire();
    if (exchange === undefined) return;
    exchange.closed = true;
    exchange.receiver.onUpstreamReset(cause, detail);
  }

  abandon(stream: Http1ClientStream): void {
    if (this.#exchange !== stream) return;
    this.#exchange = undefined;
    // The other end of a tunnel must not take the end for an orderly one.
    this.#retire(stream.isTunnel);
  }

  endTunnel(stream: Http1ClientStream): void {
    if (this.#exchange !== stream) return;
    this.connection.end();
    if (this.#body.isDone) this.#tunnelDone();
  }

  /** Both halves have ended; what is still on its way out may go. */
  #tunnelDone(): void {
    this.#exchange!.closed = true;
    this.#exchange = undefined;
    if (!this.#usable) return;
    this.#usable = false;
    this.#owner.onUnusable(this);
  }

  pauseResponse(): void {
    this.#paused = true;
    this.#adjustReading();
  }

  resumeResponse(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#readCarry();
    this.#adjustReading();
    if (this.#endedWhilePaused && !this.#paused) this.onEnd();
  }

  #adjustReading(): void {
    if (this.#parsing) return;
    if (this.#paused) this.connection.pause();
    else this.connection.resume();
  }

  #retire(reset = false): void {
    if (!this.#usable) return;
    this.#usable = false;
    this.#owner.onUnusable(this);
    this.connection.destroy(reset);
  }

  onWritable(): void {
    this.#exchange?.receiver.onUpstreamWritable();
  }

  onEnd(): void {
    const exchange = this.#exchange;
    // A TLS socket delivers what it had decrypted, and the end, past a pause: the rest of the response is in the carry.
    if (this.#paused && exchange !== undefined) {
      this.#endedWhilePaused = true;
      return;
    }
    if (exchange !== undefined && this.#body.endsWithConnection && this.#responseStarted) {
      this.#body.stop();
      exchange.receiver.onResponseData(EMPTY, true);
      if (this.#exchange !== exchange) return;
      if (!exchange.isTunnel) this.#responseDone();
      else if (exchange.requestEnded) this.#tunnelDone();
      return;
    }
    this.#closed(undefined);
    this.connection.destroy();
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    this.#closed(error);
  }

  #closed(error: NodeJS.ErrnoException | undefined): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (this.#usable) {
      this.#usable = false;
      this.#owner.onUnusable(this);
    }
    if (exchange === undefined) return;
    exchange.closed = true;
    if (error?.code === INTERNAL_ERROR) {
      exchange.receiver.onUpstreamReset(this.#responseStarted ? Causes.internalErrorMidway : Causes.internalError, error.message);
      return;
    }
    const detail = `${this.remoteAddress}: ${error?.code ?? "connection closed"}`;
    if (this.#responseStarted) exchange.receiver.onUpstreamReset(Causes.upstreamClosedMidway, detail);
    else if (this.ownExpiryMs !== undefined && this.requests === 1) {
      const since = new Date(this.ownExpiryMs).toISOString();
      exchange.receiver.onUpstreamReset(Causes.ownCertificateExpired, `own certificate expired at ${since}; ${detail}`);
    } else exchange.receiver.onUpstreamReset(Causes.upstreamClosed, detail);
  }
}

const EMPTY = Buffer.alloc(0);
