// One HTTP/2 connection, client or server (RFC 9113): its streams, what the peer has asked for, and how streams and the
// connection end. What streams mean is its owner's affair.
import { INTERNAL_ERROR, type Connection } from "../../transport/connection.ts";
import type { Http2Config } from "../../config/http2-config.ts";
import type { HeadLimits } from "../http1/head-parser.ts";
import { FloodGuard } from "./flood-guard.ts";
import { DEFAULT_WINDOW_BYTES, ErrorCode } from "./frame.ts";
import type { LocalSettings } from "./frame-writer.ts";
import { CONNECTION_GONE, OUR_BUG, VIOLATION, type InputSession, type SessionOwner, type SessionStream } from "./session-seam.ts";
import { StreamTable } from "./stream-table.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { SessionInput } from "./session-input.ts";
import { SessionOutput } from "./session-output.ts";

// In flight on a connection; given back as data is read, whoever it is for, so that a slow stream holds up no other.
const CONNECTION_WINDOW_BYTES = 2 * 1048576;
// What a peer had sent on a stream before it knew that we had reset it is dropped; so many resets are remembered.
const REMEMBERED_RESETS = 512;

export interface SessionOptions {
  readonly config: Http2Config;
  readonly limits: HeadLimits;
  /** Both ends are meshctl: names keep their case, and private pseudo-headers are understood. */
  readonly isMesh: boolean;
}

export class Http2Session implements InputSession {
  readonly connection: Connection;
  readonly output: SessionOutput;
  readonly settings: LocalSettings;
  readonly isMesh: boolean;
  readonly streams = new StreamTable();
  peerInitialWindow = DEFAULT_WINDOW_BYTES;
  /** Highest stream id of the peer's, for GOAWAY. */
  lastPeerStreamId = 0;
  readonly owner: SessionOwner;
  readonly isServer: boolean;
  readonly floods: FloodGuard;
  readonly #input: SessionInput;
  readonly #resetIds = new Set<number>();
  readonly #windowBytes: number;
  #failed = false;

  constructor(connection: Connection, options: SessionOptions, owner: SessionOwner, isServer: boolean) {
    this.connection = connection;
    const { config } = options;
    this.settings = {
      headerTableBytes: config.hpackTableBytes,
      maxConcurrentStreams: config.maxConcurrentStreams,
      initialWindowBytes: config.initialStreamWindowBytes ?? DEFAULT_WINDOW_BYTES,
      maxHeaderListBytes: options.limits.maxBytes,
      allowConnect: config.allowConnect,
    };
    this.isMesh = options.isMesh;
    this.owner = owner;
    this.isServer = isServer;
    this.floods = new FloodGuard(config);
    this.output = new SessionOutput(connection.writer, this.floods, config.hpackTableBytes, options.isMesh);
    this.#windowBytes = Math.max(DEFAULT_WINDOW_BYTES, config.initialConnectionWindowBytes ?? CONNECTION_WINDOW_BYTES);
    this.#input = new SessionInput(this, options.limits, this.#windowBytes);
  }

  /** Sends what a connection begins with. */
  begin(): void {
    const { frames } = this.output;
    if (!this.isServer) frames.preface();
    frames.settings(this.settings, this.isServer);
    if (this.#windowBytes > DEFAULT_WINDOW_BYTES) frames.windowUpdate(0, this.#windowBytes - DEFAULT_WINDOW_BYTES);
  }

  get hasFailed(): boolean {
    return this.#failed;
  }

  /** True between a HEADERS frame and the end of its block. */
  get isInBlock(): boolean {
    return this.#input.isInBlock;
  }

  // From the codec that owns the connection.

  read(bytes: Buffer, start: number, end: number): void {
    if (!this.#failed) this.#input.read(bytes, start, end);
  }

  onWritable(): void {
    this.output.takeTurns();
  }

  /** The connection has gone: so have its streams. */
  end(error: NodeJS.ErrnoException | undefined): void {
    this.#failed = true;
    if (error?.code === INTERNAL_ERROR) this.#endStreams(OUR_BUG, error.message);
    else this.#endStreams(CONNECTION_GONE, error?.code ?? "connection closed");
  }

  /** Ends the connection for a flood. Answers whether it goes on. */
  admit(flood: string | undefined): boolean {
    return flood === undefined ? !this.#failed : this.fail(ErrorCode.enhanceYourCalm, flood);
  }

  applySettings(settings: PeerSettings): void {
    const { output } = this;
    if (settings.headerTableBytes >= 0) output.heads.hpack.setPeerTableBytes(settings.headerTableBytes);
    if (settings.initialWindowBytes >= 0) {
      const change = settings.initialWindowBytes - this.peerInitialWindow;
      this.peerInitialWindow = settings.initialWindowBytes;
      // §6.9.2: the windows of open streams change with it.
      for (const stream of this.streams.all()) {
        if (!stream.widen(change)) return void this.fail(ErrorCode.flowControlError, "stream window overflow");
      }
    }
    output.frames.settingsAck();
    this.owner.onPeerSettings(settings.maxConcurrentStreams, settings.allowsConnect);
    output.takeTurns();
  }

  hasReset(streamId: number): boolean {
    return this.#resetIds.has(streamId);
  }

  /** Closes the stream when both sides have ended; a server's whole answer ends it anyway (§8.1). */
  settle(stream: SessionStream): void {
    if (stream.closed || !stream.localEnded) return;
    const answersAll = this.isServer && !stream.isTunnel;
    if (stream.hasWaiting && !answersAll) return;
    if (!stream.remoteEnded) {
      if (!answersAll) return;
      this.output.frames.rstStream(stream.id, ErrorCode.noError);
      this.#rememberReset(stream.id);
    }
    this.floods.onStreamDone();
    this.close(stream);
  }

  /** The peer has broken the rules of one stream. */
  resetStream(stream: SessionStream, code: number, detail: string): void {
    if (!this.cancelStream(stream, code)) return;
    stream.onReset(VIOLATION, detail);
    if (this.isServer) this.admit(this.floods.onReset());
  }

  /** We give the stream up. Answers false when it was over. */
  cancelStream(stream: SessionStream, code: number): boolean {
    if (stream.closed) return false;
    this.output.frames.rstStream(stream.id, code);
    this.#rememberReset(stream.id);
    this.close(stream);
    return true;
  }

  /** A stream that we don't take. */
  refuseStream(streamId: number, code: number): void {
    this.output.frames.rstStream(streamId, code);
    this.#rememberReset(streamId);
    if (this.isServer) this.admit(this.floods.onReset());
  }

  #rememberReset(streamId: number): void {
    this.#resetIds.add(streamId);
    if (this.#resetIds.size > REMEMBERED_RESETS) this.#resetIds.delete(this.#resetIds.values().next().value!);
  }

  /** The stream is over; nobody is told but the owner. */
  close(stream: SessionStream): void {
    stream.closed = true;
    stream.discard();
    this.streams.delete(stream.id);
    this.owner.onStreamClosed(stream);
  }

  /** Ends the connection with GOAWAY. Answers false, as whoever finds the error does. */
  fail(code: number, detail: string): false {
    if (this.#failed) return false;
    this.#failed = true;
    this.output.frames.goaway(this.lastPeerStreamId, code, detail);
    this.connection.end();
    this.owner.onProtocolError(detail);
    this.#endStreams(VIOLATION, detail);
    return false;
  }

  #endStreams(code: number, detail: string): void {
    for (const stream of this.streams.all()) {
      // Its response is here, whole: its reader is slow.
      if (!this.isServer && stream.hasWaiting && stream.localEnded) continue;
      this.close(stream);
      stream.onReset(code, detail);
    }
  }
}
