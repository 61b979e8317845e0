// One downstream HTTP connection: its codec, its streams, and when it is closed.
import { performance } from "node:perf_hooks";
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import { isGrpc } from "../http/grpc/content-type.ts";
import { Http1ServerConnection, type ServerConnectionOwner } from "../http/http1/server-connection.ts";
import { sendLocalReply } from "../http/local-reply.ts";
import type { DownstreamStream, RequestHead } from "../http/stream.ts";
import { Router } from "../router/router.ts";
import { StreamInfo, type ConnectionInfo } from "../telemetry/stream-info.ts";
import type { Connection } from "../transport/connection.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import { TimerEntry, type TimerOwner } from "../transport/timers.ts";
import type { ConnectionManager } from "./connection-manager.ts";
import { editRequest } from "./request-edits.ts";

const IDLE = 0;
const HEADERS = 1;

export interface HttpConnectionOptions {
  readonly info: ConnectionInfo;
  readonly remoteIp: string;
  readonly originalDst: SocketAddress | undefined;
  readonly isTls: boolean;
  /** Called once, when the connection is gone. */
  readonly onClosed: () => void;
}

export class HttpConnection implements ServerConnectionOwner, TimerOwner {
  readonly #manager: ConnectionManager;
  readonly #options: HttpConnectionOptions;
  readonly #codec: Http1ServerConnection;
  readonly #startedAt = performance.now();
  readonly #idleTimer: TimerEntry;
  #headersTimer: TimerEntry | undefined = undefined;
  #requests = 0;

  constructor(connection: Connection, manager: ConnectionManager, options: HttpConnectionOptions) {
    this.#manager = manager;
    this.#options = options;
    this.#codec = new Http1ServerConnection(connection, manager.codecOptions, this, manager.timers);
    this.#idleTimer = new TimerEntry(this, IDLE);
    const { stats } = manager;
    stats.cxTotal.inc();
    stats.cxActive.inc();
    stats.cxHttp1Total.inc();
    if (options.isTls) stats.cxSslTotal.inc();
    this.#armIdle();
    connection.start(this.#codec, false);
  }

  /** Lets streams end, then closes; idle connections close at once, but one that has asked nothing yet may ask once. */
  drain(): void {
    if (this.#codec.isDraining || this.#requests === 0) return;
    this.#manager.stats.cxDrainClose.inc();
    this.#codec.drain();
  }

  destroy(): void {
    this.#codec.connection.destroy();
  }

  onRequest(stream: DownstreamStream, head: RequestHead, end: boolean): void {
    const manager = this.#manager;
    manager.timers.disarm(this.#idleTimer);
    if (this.#headersTimer !== undefined) manager.timers.disarm(this.#headersTimer);
    this.#requests += 1;
    const limit = manager.config.maxRequestsPerConnection;
    if (manager.isDraining || (limit > 0 && this.#requests >= limit)) this.#codec.drain();
    manager.stats.rqTotal.inc();
    manager.stats.rqActive.inc();
    const info = new StreamInfo(this.#options.info, performance.now());
    info.protocol = head.protocol;
    info.method = head.method;
    info.path = head.path;
    info.authority = head.authority;
    info.requestHeadBytes = head.headBytes;
    info.requestHeaders = head.headers;
    info.isGrpc = isGrpc(head.headers);
    if (!editRequest(head, manager.config, this.#options.info, this.#options.remoteIp)) {
      return this.#refuse(stream, head, info, Causes.pathNormalizationFailed, "path cannot be normalized");
    }
    // An upgrade to h2c is an offer that may be ignored (RFC 9110 §7.8); others would change what the bytes mean.
    if (head.upgrade !== "" && head.upgrade !== "h2c") {
      return this.#refuse(stream, head, info, Causes.upgradeRefused, `upgrade to ${head.upgrade} is not allowed here`);
    }
    const router = new Router(manager, stream, head, info, this.#options.originalDst);
    stream.receiver = router;
    router.start(manager.routeTable(), end);
  }

  onBadRequest(stream: DownstreamStream, cause: Cause, detail: string): void {
    const { stats, timers } = this.#manager;
    timers.disarm(this.#idleTimer);
    if (this.#headersTimer !== undefined) timers.disarm(this.#headersTimer);
    stats.cxProtocolError.inc();
    stats.rqTotal.inc();
    stats.rqActive.inc();
    const info = new StreamInfo(this.#options.info, performance.now());
    info.protocol = "HTTP/1.1";
    this.#refuse(stream, undefined, info, cause, detail);
  }

  #refuse(stream: DownstreamStream, head: RequestHead | undefined, info: StreamInfo, cause: Cause, detail: string): void {
    info.fail(cause, detail);
    info.responseStartedAt = performance.now();
    const reply = sendLocalReply(stream, head, cause, this.#manager.isInbound ? "inbound" : "to-anything", detail);
    info.responseCode = reply.status;
    info.responseHeaders = reply.headers;
    info.bytesSent = reply.contentLength;
    info.endedAt = performance.now();
    this.#manager.onStreamEnd(info, undefined);
  }

  onHeadBegun(): void {
    const { requestHeadersTimeoutMs } = this.#manager.config;
    if (requestHeadersTimeoutMs > 0)
      this.#manager.timers.arm((this.#headersTimer ??= new TimerEntry(this, HEADERS)), requestHeadersTimeoutMs);
  }

  onStreamDone(_stream: DownstreamStream): void {
    this.#armIdle();
  }

  onConnectionClosed(_error: NodeJS.ErrnoException | undefined): void {
    const { stats, timers } = this.#manager;
    timers.disarm(this.#idleTimer);
    if (this.#headersTimer !== undefined) timers.disarm(this.#headersTimer);
    stats.cxActive.dec();
    stats.cxDestroy.inc();
    stats.cxLengthMs.record(performance.now() - this.#startedAt);
    this.#options.onClosed();
  }

  onTimer(kind: number): void {
    if (kind === HEADERS) {
      this.#manager.stats.rqTimeout.inc();
      return this.#codec.refuseHead(Causes.headersTimeout, `head not whole within ${this.#manager.config.requestHeadersTimeoutMs} ms`);
    }
    this.#manager.stats.cxIdleTimeout.inc();
    this.#codec.drain();
    // Half a head counts as idle, too: nobody may hold a connection with it for ever.
    if (this.#codec.hasPartialHead) this.#codec.connection.destroy();
  }

  #armIdle(): void {
    const { idleTimeoutMs } = this.#manager.config;
    if (idleTimeoutMs > 0) this.#manager.timers.arm(this.#idleTimer, idleTimeoutMs);
  }
}
