// What an HTTP/2 peer sends, frame by frame: checked against the rules of RFC 9113 §5 to §6, then handed to streams, to the
// session or to its owner. One per connection.
import { performance } from "node:perf_hooks";
import type { HeadLimits } from "../http1/head-parser.ts";
import { BlockAssembler } from "./block-assembler.ts";
import { ErrorCode, Flag, FrameType, readUint31, readUint32 } from "./frame.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { readSettings } from "./peer-settings.ts";
import type { InputSession, SessionStream } from "./session-seam.ts";

export class SessionInput implements FrameSink {
  readonly #session: InputSession;
  readonly #reader = new FrameReader(this);
  readonly #blocks: BlockAssembler;
  readonly #windowBytes: number;
  #receiveWindow: number;
  #unacknowledged = 0;
  #settingsSeen = false;
  // Of the DATA frame being read.
  #dataStream: SessionStream | undefined = undefined;
  #dataEnds = false;

  /** @param windowBytes what the peer has been told of the connection's window. */
  constructor(session: InputSession, limits: HeadLimits, windowBytes: number) {
    this.#session = session;
    this.#blocks = new BlockAssembler(session.settings, limits.maxHeaders, session.isMesh);
    this.#windowBytes = this.#receiveWindow = windowBytes;
  }

  /** True between a HEADERS frame and the end of its block. */
  get isInBlock(): boolean {
    return this.#blocks.isOpen;
  }

  read(bytes: Buffer, start: number, end: number): void {
    this.#reader.read(bytes, start, end);
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (this.#blocks.isOpen && (type !== FrameType.continuation || streamId !== this.#blocks.streamId))
      return this.#session.fail(ErrorCode.protocolError, "frame inside a header block");
    if (!this.#settingsSeen && type !== FrameType.settings)
      return this.#session.fail(ErrorCode.protocolError, "first frame is no SETTINGS");
    switch (type) {
      case FrameType.headers:
        return this.#onHeaders(flags, streamId, bytes, start, end);
      case FrameType.continuation:
        if (!this.#blocks.isOpen) return this.#session.fail(ErrorCode.protocolError, "CONTINUATION without HEADERS");
        return this.#onFragment(flags, bytes, start, end);
      case FrameType.windowUpdate:
        return this.#onWindowUpdate(streamId, bytes, start, end);
      case FrameType.rstStream:
        return this.#onRstStream(streamId, bytes, start, end);
      case FrameType.settings:
        return this.#onSettings(flags, streamId, bytes, start, end);
      case FrameType.ping:
        return this.#onPing(flags, streamId, bytes, start, end);
      case FrameType.goaway:
        if (streamId !== 0) return this.#session.fail(ErrorCode.protocolError, "GOAWAY on a stream");
        if (end - start < 8) return this.#session.fail(ErrorCode.frameSizeError, "GOAWAY of a wrong size");
        this.#session.owner.onGoaway(
          readUint31(bytes, start),
          readUint32(bytes, start + 4),
          bytes.latin1Slice(start + 8, Math.min(end, start + 208)),
        );
        return !this.#session.hasFailed;
      case FrameType.priority:
        return this.#onPriority(streamId, bytes, start, end);
      case FrameType.pushPromise:
        return this.#session.fail(ErrorCode.protocolError, "PUSH_PROMISE is disabled");
      default:
        // §4.1: unknown types are ignored.
        return this.#admitControl();
    }
  }

  #admitControl(): boolean {
    return this.#session.admit(this.#session.floods.onControlFrame(performance.now()));
  }

  #admitEmpty(streamId: number): boolean {
    return this.#session.admit(this.#session.floods.onEmptyFrame(streamId, performance.now()));
  }

  onDataHead(streamId: number, flags: number, length: number): boolean {
    this.#dataStream = undefined;
    if (this.#blocks.isOpen) return this.#session.fail(ErrorCode.protocolError, "frame inside a header block");
    if (!this.#settingsSeen) return this.#session.fail(ErrorCode.protocolError, "first frame is no SETTINGS");
    if (streamId === 0) return this.#session.fail(ErrorCode.protocolError, "DATA on stream 0");
    if (!this.#takeFromWindow(length)) return false;
    const stream = this.#session.streams.get(streamId);
    if (stream === undefined || stream.remoteEnded) return this.#onLateFrame(streamId, stream, false);
    if (!stream.admitData(length)) {
      this.#session.resetStream(stream, ErrorCode.flowControlError, "stream window exceeded");
      return !this.#session.hasFailed;
    }
    this.#dataStream = stream;
    this.#dataEnds = (flags & Flag.endStream) !== 0;
    return true;
  }

  onDataPiece(streamId: number, bytes: Buffer, start: number, end: number, last: boolean): boolean {
    const stream = this.#dataStream;
    const ended = last && this.#dataEnds;
    if (start < end) this.#session.floods.onContent();
    // Padding alone is no content, either.
    else if (!ended && !this.#admitEmpty(streamId)) return false;
    if (stream !== undefined && !stream.closed) {
      stream.receiveData(bytes, start, end, ended);
      if (ended) this.#session.settle(stream);
    }
    return !this.#session.hasFailed;
  }

  onFrameError(code: number, detail: string): void {
    this.#session.fail(code, detail);
  }

  #takeFromWindow(length: number): boolean {
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) return this.#session.fail(ErrorCode.flowControlError, "connection window exceeded");
    this.#unacknowledged += length;
    if (2 * this.#unacknowledged >= this.#windowBytes) this.giveBack();
    return true;
  }

  /** Lets the peer send on, unless too much of what it has sent is not wanted yet. */
  giveBack(): void {
    if (this.#session.isFull || this.#unacknowledged === 0) return;
    this.#session.output.frames.windowUpdate(0, this.#unacknowledged);
    this.#receiveWindow += this.#unacknowledged;
    this.#unacknowledged = 0;
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId === 0) return this.#session.fail(ErrorCode.protocolError, "HEADERS on stream 0");
    const isPadded = (flags & Flag.padded) !== 0;
    const hasPriority = (flags & Flag.priority) !== 0;
    const from = start + (isPadded ? 1 : 0) + (hasPriority ? 5 : 0);
    if (from > end) return this.#session.fail(ErrorCode.frameSizeError, "HEADERS too short for its flags");
    const to = isPadded ? end - bytes[start]! : end;
    if (to < from) return this.#session.fail(ErrorCode.protocolError, "padding longer than the frame");
    this.#blocks.open(streamId, (flags & Flag.endStream) !== 0, hasPriority && readUint31(bytes, from - 5) === streamId);
    if ((flags & Flag.endHeaders) === 0 && this.#session.owner.isIdleStream(streamId)) this.#session.owner.onBlockBegun();
    return this.#onFragment(flags, bytes, from, to);
  }

  #onFragment(flags: number, bytes: Buffer, start: number, end: number): boolean {
    const blocks = this.#blocks;
    if (start < end) this.#session.floods.onHeaders();
    else if (!blocks.endStream && !this.#admitEmpty(blocks.streamId)) return false;
    if ((flags & Flag.endHeaders) === 0) {
      if (!blocks.add(bytes, start, end)) return this.#session.fail(ErrorCode.enhanceYourCalm, "header block too long");
      return !this.#session.hasFailed;
    }
    if (!blocks.finish(bytes, start, end)) return this.#session.fail(ErrorCode.compressionError, blocks.errorDetail);
    const { streamId, endStream } = blocks;
    const stream = this.#session.streams.get(streamId);
    if (stream !== undefined && !stream.remoteEnded) {
      if (blocks.dependsOnItself) this.#session.resetStream(stream, ErrorCode.protocolError, "stream depends on itself");
      else if (blocks.isTooLarge) {
        this.#session.stats.count("header_overflow");
        this.#session.resetStream(stream, ErrorCode.protocolError, "header list too large");
      } else this.#hand(stream, endStream);
    } else if (stream === undefined && this.#session.owner.isIdleStream(streamId)) {
      if (blocks.dependsOnItself) return this.#session.fail(ErrorCode.protocolError, "stream depends on itself");
      if (blocks.isTooLarge) this.#session.stats.count("header_overflow");
      this.#session.owner.onNewStream(streamId, blocks.fields, blocks.listBytes, endStream, blocks.isTooLarge);
    } else return this.#onLateFrame(streamId, stream, true);
    return !this.#session.hasFailed;
  }

  #hand(stream: SessionStream, endStream: boolean): void {
    try {
      stream.onHeaders(this.#blocks.fields, this.#blocks.listBytes, endStream);
    } catch (thrown) {
      this.#session.onBug(stream, thrown);
    }
    this.#session.settle(stream);
  }

  // §5.1: a frame for a stream whose peer had ended it, or that is closed.
  #onLateFrame(streamId: number, stream: SessionStream | undefined, isHeaders: boolean): boolean {
    if (stream !== undefined) {
      this.#session.resetStream(stream, ErrorCode.streamClosed, "frame after END_STREAM");
      return !this.#session.hasFailed;
    }
    if (this.#session.owner.isIdleStream(streamId)) return this.#session.fail(ErrorCode.protocolError, "frame on an idle stream");
    if (this.#session.hasReset(streamId)) return true;
    if (isHeaders && this.#session.peerIds.wasSkipped(streamId))
      return this.#session.fail(ErrorCode.protocolError, "stream id passed over");
    if (isHeaders) return this.#session.fail(ErrorCode.streamClosed, "HEADERS on a closed stream");
    this.#session.sendReset(streamId, ErrorCode.streamClosed);
    return this.#admitControl();
  }

  #onPriority(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    // Read for its errors only: §5.3.2 lets everybody ignore it.
    if (streamId === 0) return this.#session.fail(ErrorCode.protocolError, "PRIORITY on stream 0");
    const stream = this.#session.streams.get(streamId);
    const detail =
      end - start !== 5 ? "PRIORITY of a wrong size" : readUint31(bytes, start) === streamId ? "stream depends on itself" : undefined;
    if (detail !== undefined) {
      const code = end - start !== 5 ? ErrorCode.frameSizeError : ErrorCode.protocolError;
      if (stream === undefined) return this.#session.fail(code, detail);
      this.#session.resetStream(stream, code, detail);
    }
    return this.#session.admit(this.#session.floods.onPriority());
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (end - start !== 4) return this.#session.fail(ErrorCode.frameSizeError, "WINDOW_UPDATE of a wrong size");
    if (!this.#session.admit(this.#session.floods.onWindowUpdate())) return false;
    const increment = readUint31(bytes, start);
    if (streamId === 0) {
      if (increment === 0) return this.#session.fail(ErrorCode.protocolError, "empty WINDOW_UPDATE");
      if (!this.#session.output.widen(increment)) return this.#session.fail(ErrorCode.flowControlError, "connection window overflow");
    } else {
      const stream = this.#session.streams.get(streamId);
      if (stream === undefined)
        return !this.#session.owner.isIdleStream(streamId) || this.#session.fail(ErrorCode.protocolError, "frame on an idle stream");
      if (increment === 0) this.#session.resetStream(stream, ErrorCode.protocolError, "empty WINDOW_UPDATE");
      else if (!stream.widen(increment)) this.#session.resetStream(stream, ErrorCode.flowControlError, "stream window overflow");
    }
    this.#session.output.takeTurns();
    return !this.#session.hasFailed;
  }

  #onRstStream(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId === 0) return this.#session.fail(ErrorCode.protocolError, "RST_STREAM on stream 0");
    if (end - start !== 4) return this.#session.fail(ErrorCode.frameSizeError, "RST_STREAM of a wrong size");
    this.#session.stats.count("rx_reset");
    const stream = this.#session.streams.get(streamId);
    if (stream === undefined) {
      if (this.#session.owner.isIdleStream(streamId)) return this.#session.fail(ErrorCode.protocolError, "frame on an idle stream");
      return this.#admitControl();
    }
    this.#session.onPeerReset(stream, readUint32(bytes, start));
    // Between sidecars a reset is a client that has left, and the connection is everybody's.
    const counts = this.#session.isServer && !this.#session.isMesh;
    return counts ? this.#session.admit(this.#session.floods.onReset(performance.now())) : !this.#session.hasFailed;
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId !== 0) return this.#session.fail(ErrorCode.protocolError, "SETTINGS on a stream");
    if ((flags & Flag.ack) !== 0) {
      if (end !== start) return this.#session.fail(ErrorCode.frameSizeError, "SETTINGS ACK with a payload");
      return this.#settingsSeen || this.#session.fail(ErrorCode.protocolError, "first frame is no SETTINGS");
    }
    if (!this.#admitControl()) return false;
    const settings = readSettings(bytes, start, end, !this.#session.isServer);
    if ("code" in settings) return this.#session.fail(settings.code, settings.detail);
    this.#settingsSeen = true;
    this.#session.applySettings(settings);
    return !this.#session.hasFailed;
  }

  #onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId !== 0) return this.#session.fail(ErrorCode.protocolError, "PING on a stream");
    if (end - start !== 8) return this.#session.fail(ErrorCode.frameSizeError, "PING of a wrong size");
    if ((flags & Flag.ack) !== 0) this.#session.owner.onPingAck(bytes, start);
    else {
      if (!this.#admitControl()) return false;
      this.#session.output.frames.ping(Flag.ack, bytes, start);
    }
    return !this.#session.hasFailed;
  }
}
