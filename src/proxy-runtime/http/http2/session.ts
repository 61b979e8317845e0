// One HTTP/2 connection, client or server (RFC 9113): its streams, what the peer has asked for, and how streams and the
// connection end. What streams mean is its owner's affair.
import { performance } from "node:perf_hooks";
import { INTERNAL_ERROR, type Connection } from "../../transport/connection.ts";
import type { Http2Config } from "../../config/http2-config.ts";
import type { HeadLimits } from "../http1/head-parser.ts";
import { FloodGuard, type Flood } from "./flood-guard.ts";
import { DEFAULT_WINDOW_BYTES, ErrorCode, errorName } from "./frame.ts";
import type { LocalSettings } from "./frame-writer.ts";
import type { Http2Stats } from "./http2-stats.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { PeerStreamIds } from "./peer-stream-ids.ts";
import { ResetMemory } from "./reset-memory.ts";
import { SessionInput } from "./session-input.ts";
import { SessionOutput } from "./session-output.ts";
import { CONNECTION_GONE, OUR_BUG, VIOLATION, type InputSession, type SessionOwner, type SessionStream } from "./session-seam.ts";
import { StreamTable } from "./stream-table.ts";

// In flight on a connection; given back as data is read, whoever it is for, so that a slow stream holds up no other.
const CONNECTION_WINDOW_BYTES = 2 * 1048576;
// Held for all slow receivers of a connection: beyond the first no stream's window grows, at the second (more than 1,000
// streams of the protocol's own window) the connection's window stays as it is until some is taken.
const GROWING_HELD_BYTES = 4 * 1048576;
const MAX_HELD_BYTES = 72 * 1048576;

export interface SessionOptions {
  readonly config: Http2Config;
  readonly limits: HeadLimits;
  /** Both ends are meshctl: names keep their case, and private pseudo-headers are understood. */
  readonly isMesh: boolean;
  readonly stats: Http2Stats;
}

export class Http2Session implements InputSession {
  readonly connection: Connection;
  readonly output: SessionOutput;
  readonly settings: LocalSettings;
  readonly isMesh: boolean;
  readonly streams = new StreamTable();
  readonly peerIds = new PeerStreamIds();
  peerInitialWindow = DEFAULT_WINDOW_BYTES;
  /** Highest stream id of the peer's that we have taken, for GOAWAY. */
  lastTakenId = 0;
  /** A stream whose answer ends before its request is reset with this. */
  earlyEndCode: number = ErrorCode.noError;
  readonly owner: SessionOwner;
  readonly isServer: boolean;
  readonly floods: FloodGuard;
  readonly #input: SessionInput;
  readonly stats: Http2Stats;
  readonly #resets = new ResetMemory();
  readonly #windowBytes: number;
  #failed = false;
  #heldBytes = 0;

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
    this.stats = options.stats;
    this.isServer = isServer;
    this.floods = new FloodGuard(config);
    this.output = new SessionOutput(connection.writer, this.floods, config, options.isMesh);
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
    if (!this.#failed && this.admit(this.output.unreadFlood)) this.#input.read(bytes, start, end);
  }

  onWritable(): void {
    this.output.onWritable();
  }

  /** The connection has gone: so have its streams. */
  end(error: NodeJS.ErrnoException | undefined): void {
    this.#failed = true;
    if (error?.code === INTERNAL_ERROR) this.#endStreams(OUR_BUG, error.message);
    else this.#endStreams(CONNECTION_GONE, error?.code ?? "connection closed");
  }

  /** Ends the connection for a flood. Answers whether it goes on. */
  admit(flood: Flood | undefined): boolean {
    if (flood === undefined) return !this.#failed;
    if (flood.counter !== undefined) this.stats.count(flood.counter);
    return this.#end(ErrorCode.enhanceYourCalm, flood.detail, flood);
  }

  applySettings(settings: PeerSettings): void {
    const { output } = this;
    if (settings.headerTableBytes >= 0) {
      output.heads.hpack.setPeerTableBytes(settings.lowestTableBytes);
      output.heads.hpack.setPeerTableBytes(settings.headerTableBytes);
    }
    if (settings.initialWindowBytes >= 0) {
      const change = settings.initialWindowBytes - this.peerInitialWindow;
      this.peerInitialWindow = settings.initialWindowBytes;
      // §6.9.2: the windows of open streams change with it.
      for (const stream of this.streams.all()) {
        if (!stream.widen(change)) return void this.fail(ErrorCode.flowControlError, "stream window overflow");
      }
    }
    output.frames.settingsAck();
    this.owner.onPeerSettings(settings);
    if (!this.#failed) output.takeTurns();
  }

  /** A stream that we don't take. */
  refuseStream(streamId: number): void {
    this.stats.count("stream_refused_errors");
    this.sendReset(streamId, ErrorCode.refusedStream);
    this.#resets.add(streamId);
    this.admit(this.floods.onReset(performance.now()));
  }

  hasReset(streamId: number): boolean {
    return this.#resets.has(streamId);
  }

  // What receivers don't want yet.

  get mayGrowWindows(): boolean {
    return this.#heldBytes < GROWING_HELD_BYTES;
  }

  get isFull(): boolean {
    return this.#heldBytes >= MAX_HELD_BYTES;
  }

  hold(change: number): void {
    const wasFull = this.isFull;
    this.#heldBytes += change;
    if (wasFull && !this.isFull && !this.#failed) this.#input.giveBack();
  }

  // How streams end.

  settle(stream: SessionStream): void {
    if (stream.closed || (stream.hasWaiting && (!this.isServer || stream.isTunnel))) return;
    if (!stream.localEnded || !stream.remoteEnded) {
      // Of a tunnel each side ends for itself; else the rest of a request is not needed when its response is whole.
      if (stream.isTunnel || !(this.isServer ? stream.localEnded : stream.remoteEnded)) return;
      this.sendReset(stream.id, this.isServer ? this.earlyEndCode : ErrorCode.cancel);
      this.#resets.add(stream.id);
    }
    this.floods.onStreamDone();
    this.close(stream);
  }

  rejectMessage(stream: SessionStream, detail: string): void {
    if (stream.closed) return;
    this.stats.count("rx_messaging_error");
    this.resetStream(stream, ErrorCode.protocolError, detail);
    if (!this.#failed) this.owner.onMalformedMessage(detail);
  }

  resetStream(stream: SessionStream, code: number, detail: string): void {
    if (!this.cancelStream(stream, code)) return;
    this.#tell(stream, VIOLATION, detail);
    if (this.isServer) this.admit(this.floods.onReset(performance.now()));
  }

  cancelStream(stream: SessionStream, code: number): boolean {
    if (stream.closed) return false;
    // Of a connection that has ended only what has come whole is left.
    if (!this.#failed) {
      this.sendReset(stream.id, code);
      this.#resets.add(stream.id);
    }
    this.close(stream);
    return true;
  }

  onPeerReset(stream: SessionStream, code: number): void {
    // §8.1: a response that has come whole is not discarded for a reset that stops its request.
    if (stream.hasWaiting && !this.isServer && !stream.isTunnel) return stream.endLocal();
    this.close(stream);
    this.#tell(stream, code, `peer reset the stream: ${errorName(code)}`);
  }

  /** The streams above this id were not and will not be looked at. */
  refuseAbove(streamId: number, detail: string): void {
    for (const stream of this.streams.all()) {
      if (stream.id <= streamId) continue;
      this.close(stream);
      this.#tell(stream, ErrorCode.refusedStream, detail);
    }
  }

  onBug(stream: SessionStream, thrown: unknown): void {
    this.connection.reportBug(thrown);
    if (this.cancelStream(stream, ErrorCode.internalError))
      this.#tell(stream, OUR_BUG, thrown instanceof Error ? thrown.message : String(thrown));
  }

  sendReset(streamId: number, code: number): void {
    this.stats.count("tx_reset");
    this.output.frames.rstStream(streamId, code);
  }

  /** The stream is over; nobody is told but the owner. */
  close(stream: SessionStream): void {
    stream.closed = true;
    stream.discard();
    this.output.onStreamClosed(stream);
    this.streams.delete(stream.id);
    this.owner.onStreamClosed(stream);
  }

  /** Ends the connection with GOAWAY. Answers false, as whoever finds the error does. */
  fail(code: number, detail: string): false {
    return this.#end(code, detail, undefined);
  }

  #end(code: number, detail: string, flood: Flood | undefined): false {
    if (this.#failed) return false;
    this.#failed = true;
    this.goaway(this.lastTakenId, code, detail);
    this.connection.end();
    this.owner.onProtocolError(detail, flood);
    this.#endStreams(VIOLATION, detail);
    return false;
  }

  goaway(lastStreamId: number, code: number, detail: string): void {
    this.stats.count("goaway_sent");
    this.output.frames.goaway(lastStreamId, code, detail);
  }

  #endStreams(code: number, detail: string): void {
    for (const stream of this.streams.all()) {
      // All that it brings is here, and its receiver is slow.
      if (stream.hasWaiting && (stream.localEnded || !(this.isServer || stream.isTunnel))) stream.endLocal();
      else {
        this.close(stream);
        this.#tell(stream, code, detail);
      }
    }
  }

  #tell(stream: SessionStream, code: number, detail: string): void {
    try {
      stream.onReset(code, detail);
    } catch (thrown) {
      this.connection.reportBug(thrown);
    }
  }
}
