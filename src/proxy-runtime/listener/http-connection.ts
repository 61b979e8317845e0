// One downstream HTTP connection: which codec it gets, its streams, and when it is closed.
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import { isGrpc } from "../http/grpc/content-type.ts";
import { HeaderList } from "../http/header-list.ts";
import { Http1ServerConnection } from "../http/http1/server-connection.ts";
import { Http2ServerConnection } from "../http/http2/server-connection.ts";
import { localReply, sendReply, type LocalReply } from "../http/local-reply.ts";
import type { ServerCodec, ServerConnectionOwner } from "../http/server-codec.ts";
import type { DownstreamStream, RequestHead } from "../http/stream.ts";
import { Router } from "../router/router.ts";
import { StreamInfo, type ConnectionInfo } from "../telemetry/stream-info.ts";
import type { Connection, ConnectionReceiver } from "../transport/connection.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import { TimerEntry, type TimerOwner } from "../transport/timers.ts";
import { codecFor, codecOf, type CodecKind } from "./codec-choice.ts";
import type { ConnectionManager } from "./connection-manager.ts";
import { turnNow } from "../transport/turn-clock.ts";

const IDLE = 0;
const HEADERS = 1;
const DRAIN = 2;
const DURATION = 3;

export interface HttpConnectionOptions {
  readonly info: ConnectionInfo;
  readonly remoteIp: string;
  readonly originalDst: SocketAddress | undefined;
  readonly isTls: boolean;
  /** What ALPN has agreed on; empty without. */
  readonly alpn: string;
  /** A bug of ours has shown itself. */
  onInternalError(thrown: unknown): void;
  /** Called once, when the connection is gone. */
  readonly onClosed: () => void;
}

export class HttpConnection implements ConnectionReceiver, ServerConnectionOwner, TimerOwner {
  readonly #manager: ConnectionManager;
  readonly #options: HttpConnectionOptions;
  readonly #connection: Connection;
  /** Made when the first bytes come, unless ALPN has said before which it is. */
  #codec: ServerCodec | undefined = undefined;
  #kind: CodecKind | undefined;
  /** First bytes that did not tell. */
  #undecided: Buffer | undefined = undefined;
  readonly #startedAt = turnNow();
  readonly #idleTimer: TimerEntry;
  #headersTimer: TimerEntry | undefined = undefined;
  #drainTimer: TimerEntry | undefined = undefined;
  #durationTimer: TimerEntry | undefined = undefined;
  #requests = 0;

  constructor(connection: Connection, manager: ConnectionManager, options: HttpConnectionOptions) {
    this.#manager = manager;
    this.#options = options;
    this.#connection = connection;
    this.#kind = codecFor(manager.config.codec, options.alpn);
    this.#idleTimer = new TimerEntry(this, IDLE);
    const { stats } = manager;
    stats.cxTotal.inc();
    stats.cxActive.inc();
    if (options.isTls) stats.cxSslTotal.inc();
    connection.count(stats.cxRxBytes, stats.cxTxBytes);
    this.#armIdle();
    const { maxConnectionDurationMs } = manager.config;
    if (maxConnectionDurationMs > 0) manager.timers.arm((this.#durationTimer = new TimerEntry(this, DURATION)), maxConnectionDurationMs);
    // HTTP/2 begins with both sides' settings.
    if (this.#kind === "http2" || this.#kind === "mesh") this.#startCodec(this.#kind);
    connection.start(this.#codec ?? this, false);
    if (manager.isDraining) this.drain();
  }

  /** An idle connection has no codec yet: it may be one of ten thousand. */
  onBytes(buffer: Buffer, length: number): void {
    const early = this.#undecided;
    const bytes = early === undefined ? buffer : Buffer.concat([early, buffer.subarray(0, length)]);
    const size = early === undefined ? length : bytes.length;
    const kind = this.#kind ?? codecOf(bytes, size);
    if (kind === undefined) {
      this.#undecided = Buffer.from(bytes.subarray(0, size));
      return;
    }
    this.#undecided = undefined;
    const codec = this.#startCodec(kind);
    this.#connection.start(codec, true);
    codec.onBytes(bytes, size);
  }

  onEnd(): void {
    this.#connection.destroy();
  }

  onWritable(): void {
    // Nothing is written before there is a codec.
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    this.onConnectionClosed(error);
  }

  #startCodec(kind: CodecKind): ServerCodec {
    const { stats, timers, http1Options, http2Options, meshOptions } = this.#manager;
    this.#kind = kind;
    if (kind === "http1") {
      stats.cxHttp1Total.inc();
      this.#codec = new Http1ServerConnection(this.#connection, http1Options, this, timers);
    } else {
      stats.cxHttp2Total.inc();
      this.#codec = new Http2ServerConnection(this.#connection, kind === "mesh" ? meshOptions : http2Options, this, timers);
    }
    return this.#codec;
  }

  /**
   * Ends the connection without failing a request. A client of HTTP/1 may be writing one on an idle connection just now:
   * it has a while for it, and learns from the response that it was the last.
   */
  drain(idleGraceMs = Infinity): void {
    if (this.#drainTimer !== undefined) return;
    const { stats, timers, config } = this.#manager;
    stats.cxDrainClose.inc();
    this.#codec?.drain();
    this.#drainTimer = new TimerEntry(this, DRAIN);
    timers.arm(this.#drainTimer, Math.min(config.drainTimeoutMs, idleGraceMs));
  }

  /** Ends the connection now. */
  destroy(): void {
    this.#codec?.failStreams(Causes.draining, "the sidecar's time to drain is over");
    this.#connection.writer.flush();
    this.#connection.destroy();
  }

  onRequest(stream: DownstreamStream, head: RequestHead, end: boolean): void {
    const manager = this.#manager;
    manager.timers.suspend(this.#idleTimer);
    if (this.#headersTimer !== undefined) manager.timers.suspend(this.#headersTimer);
    this.#requests += 1;
    if (manager.isDraining || this.#drainTimer !== undefined) this.#codec!.drain();
    const limit = manager.config.maxRequestsPerConnection;
    if (limit > 0 && this.#requests === limit) {
      manager.stats.cxMaxRequests.inc();
      this.#codec!.finish();
    }
    manager.stats.rqTotal.inc();
    manager.stats.rqActive.inc();
    const info = new StreamInfo(this.#options.info, turnNow());
    info.protocol = head.protocol;
    info.method = head.method;
    info.path = head.path;
    info.authority = head.authority;
    info.requestHeadBytes = head.headBytes;
    info.requestHeaders = head.headers;
    info.isGrpc = isGrpc(head.headers);
    try {
      this.#route(stream, head, info, end);
    } catch (thrown) {
      this.#onBug(stream, head, info, thrown);
    }
  }

  #route(stream: DownstreamStream, head: RequestHead, info: StreamInfo, end: boolean): void {
    const manager = this.#manager;
    switch (manager.edits.apply(head, info, this.#options.remoteIp)) {
      case "redirect":
        return this.#redirect(stream, head, info);
      case "reject_path":
        return this.#refuse(stream, head, info, Causes.pathNormalizationFailed, "path cannot be normalized");
      case "reject_underscore":
        return this.#refuse(stream, head, info, Causes.underscoreInHeader, "a header's name has an underscore");
      case "ok": {
        const router = new Router(manager, stream, head, info, this.#options.originalDst);
        stream.receiver = router;
        router.start(manager.routeTable(), end);
      }
    }
  }

  /** A bug of ours fails the request that has met it, and no other. */
  #onBug(stream: DownstreamStream, head: RequestHead, info: StreamInfo, thrown: unknown): void {
    this.#options.onInternalError(thrown);
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    if (stream.receiver === undefined) this.#refuse(stream, head, info, Causes.internalError, detail);
    else stream.receiver.onDownstreamReset(Causes.internalError, detail);
  }

  /** UNESCAPE_AND_REDIRECT: the client is to ask again for the path that is meant. */
  #redirect(stream: DownstreamStream, head: RequestHead, info: StreamInfo): void {
    this.#manager.stats.rqRedirectedWithNormalizedPath.inc();
    const headers = HeaderList.of(["location", head.path, "content-length", "0"]);
    this.#answer(stream, info, { head: { status: 307, reason: "", headers, contentLength: 0, headBytes: 0 }, body: "" });
  }

  onBadRequest(stream: DownstreamStream, cause: Cause, detail: string): void {
    const { stats, timers } = this.#manager;
    timers.disarm(this.#idleTimer);
    if (this.#headersTimer !== undefined) timers.disarm(this.#headersTimer);
    stats.cxProtocolError.inc();
    stats.rqTotal.inc();
    stats.rqActive.inc();
    const info = new StreamInfo(this.#options.info, turnNow());
    info.protocol = this.#kind === "http1" ? "HTTP/1.1" : "HTTP/2";
    this.#refuse(stream, undefined, info, cause, detail);
  }

  #refuse(stream: DownstreamStream, head: RequestHead | undefined, info: StreamInfo, cause: Cause, detail: string): void {
    info.fail(cause, detail);
    info.responseStartedAt = turnNow();
    this.#answer(stream, info, localReply(head, cause, info.flags, this.#manager.isInbound ? "inbound" : "to-anything", detail));
  }

  /** A reply of our own to a request that no router sees. */
  #answer(stream: DownstreamStream, info: StreamInfo, reply: LocalReply): void {
    const { head } = reply;
    this.#manager.finishResponse(head, info);
    info.responseCode = head.status;
    info.responseHeaders = head.headers;
    info.bytesSent = head.contentLength;
    sendReply(stream, reply);
    info.endedAt = turnNow();
    this.#manager.onStreamEnd(info, undefined);
  }

  onHeadBegun(): void {
    const { requestHeadersTimeoutMs } = this.#manager.config;
    if (requestHeadersTimeoutMs > 0)
      this.#manager.timers.arm((this.#headersTimer ??= new TimerEntry(this, HEADERS)), requestHeadersTimeoutMs);
  }

  onStreamDone(_stream: DownstreamStream): void {
    if (this.#codec!.isIdle) this.#armIdle();
  }

  onProtocolError(_detail: string, areTooManyResets: boolean): void {
    this.#manager.stats.cxProtocolError.inc();
    if (areTooManyResets) this.#manager.stats.rqTooManyResets.inc();
  }

  onConnectionClosed(_error: NodeJS.ErrnoException | undefined): void {
    const { stats, timers } = this.#manager;
    timers.disarm(this.#idleTimer);
    if (this.#headersTimer !== undefined) timers.disarm(this.#headersTimer);
    if (this.#drainTimer !== undefined) timers.disarm(this.#drainTimer);
    if (this.#durationTimer !== undefined) timers.disarm(this.#durationTimer);
    stats.cxActive.dec();
    stats.cxDestroy.inc();
    stats.cxLengthMs.record(turnNow() - this.#startedAt);
    this.#options.onClosed();
  }

  onTimer(kind: number): void {
    if (kind === DURATION) {
      this.#manager.stats.cxMaxDuration.inc();
      return this.drain();
    }
    if (kind === HEADERS) {
      return this.#codec!.refuseHead(Causes.headersTimeout, `head not whole within ${this.#manager.config.requestHeadersTimeoutMs} ms`);
    }
    if (kind === IDLE) this.#manager.stats.cxIdleTimeout.inc();
    this.#codec?.finish();
    // Half a head counts as idle, too: nobody may hold a connection with it for ever.
    if (this.#codec === undefined || this.#codec.hasPartialHead) this.#connection.destroy();
  }

  #armIdle(): void {
    const { idleTimeoutMs } = this.#manager.config;
    if (idleTimeoutMs > 0) this.#manager.timers.arm(this.#idleTimer, idleTimeoutMs);
  }
}
