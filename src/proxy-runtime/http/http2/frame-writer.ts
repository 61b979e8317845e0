// Puts frames on a connection's writer: all frames of a turn of the event loop go out in one write.
import type { SocketWriter } from "../../transport/socket-writer.ts";
import {
  DEFAULT_WINDOW_BYTES,
  FRAME_HEADER_BYTES,
  Flag,
  FrameType,
  MAX_FRAME_BYTES,
  MAX_STREAM_ID,
  PREFACE,
  Setting,
  writeFrameHeader,
  writeUint32,
} from "./frame.ts";

/** A DATA frame with its head fills one TLS record. */
export const MAX_DATA_BYTES = MAX_FRAME_BYTES - FRAME_HEADER_BYTES;

export interface LocalSettings {
  readonly headerTableBytes: number;
  readonly maxConcurrentStreams: number;
  readonly initialWindowBytes: number;
  readonly maxHeaderListBytes: number;
  readonly allowConnect: boolean;
}

export class FrameWriter {
  /** Frames since the peer was last seen to have read everything; see SessionOutput. */
  unread = 0;
  /** Of these PING, SETTINGS and RST_STREAM. */
  unreadControl = 0;
  readonly #writer: SocketWriter;

  constructor(writer: SocketWriter) {
    this.#writer = writer;
  }

  preface(): void {
    this.#writer.writeBytes(PREFACE);
  }

  /** What we ask of the peer; values that are the protocol's defaults are left out (RFC 9113 §6.5.2). */
  settings(settings: LocalSettings, isServer: boolean): void {
    const pairs: [number, number][] = [];
    if (settings.headerTableBytes !== 4096) pairs.push([Setting.headerTableSize, settings.headerTableBytes]);
    if (!isServer) pairs.push([Setting.enablePush, 0]);
    if (isServer) pairs.push([Setting.maxConcurrentStreams, settings.maxConcurrentStreams]);
    if (settings.initialWindowBytes !== DEFAULT_WINDOW_BYTES) pairs.push([Setting.initialWindowSize, settings.initialWindowBytes]);
    pairs.push([Setting.maxHeaderListSize, settings.maxHeaderListBytes]);
    if (isServer && settings.allowConnect) pairs.push([Setting.enableConnectProtocol, 1]);
    const length = 6 * pairs.length;
    const out = this.#writer.reserve(FRAME_HEADER_BYTES + length);
    let at = writeFrameHeader(out, this.#writer.offset, length, FrameType.settings, 0, 0);
    for (const [id, value] of pairs) {
      out[at] = id >>> 8;
      out[at + 1] = id;
      at = writeUint32(out, at + 2, value);
    }
    this.#writer.commit(at);
  }

  settingsAck(): void {
    this.#countControl();
    const out = this.#writer.reserve(FRAME_HEADER_BYTES);
    this.#writer.commit(writeFrameHeader(out, this.#writer.offset, 0, FrameType.settings, Flag.ack, 0));
  }

  /** @param payload eight bytes at `start`. */
  ping(flags: number, payload: Uint8Array, start: number): void {
    this.#countControl();
    const out = this.#writer.reserve(FRAME_HEADER_BYTES + 8);
    const at = writeFrameHeader(out, this.#writer.offset, 8, FrameType.ping, flags, 0);
    for (let index = 0; index < 8; index += 1) out[at + index] = payload[start + index]!;
    this.#writer.commit(at + 8);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.unread += 1;
    this.#four(FrameType.windowUpdate, streamId, increment);
  }

  rstStream(streamId: number, code: number): void {
    this.#countControl();
    this.#four(FrameType.rstStream, streamId, code);
  }

  goaway(lastStreamId: number, code: number, detail: string): void {
    const text = Buffer.from(detail.slice(0, 200), "latin1");
    const out = this.#writer.reserve(FRAME_HEADER_BYTES + 8 + text.length);
    let at = writeFrameHeader(out, this.#writer.offset, 8 + text.length, FrameType.goaway, 0, 0);
    at = writeUint32(out, at, Math.min(lastStreamId, MAX_STREAM_ID));
    at = writeUint32(out, at, code);
    out.set(text, at);
    this.#writer.commit(at + text.length);
  }

  /** A header block, block[0, length): HEADERS, and CONTINUATION for what one frame can't hold. */
  headers(streamId: number, block: Buffer, length: number, endStream: boolean): void {
    this.unread += 1;
    const first = Math.min(length, MAX_FRAME_BYTES);
    const flags = (endStream ? Flag.endStream : 0) | (first === length ? Flag.endHeaders : 0);
    this.#fragment(FrameType.headers, flags, streamId, block, 0, first);
    for (let start = first; start < length; start += MAX_FRAME_BYTES) {
      const end = Math.min(length, start + MAX_FRAME_BYTES);
      this.#fragment(FrameType.continuation, end === length ? Flag.endHeaders : 0, streamId, block, start, end);
    }
  }

  /** data[start, end), at most MAX_DATA_BYTES; copied. */
  data(streamId: number, data: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.unread += 1;
    const length = end - start;
    const out = this.#writer.reserve(FRAME_HEADER_BYTES);
    this.#writer.commit(writeFrameHeader(out, this.#writer.offset, length, FrameType.data, endStream ? Flag.endStream : 0, streamId));
    if (length > 0) this.#writer.writeBytes(length === data.length ? data : data.subarray(start, end));
  }

  #countControl(): void {
    this.unread += 1;
    this.unreadControl += 1;
  }

  #fragment(type: number, flags: number, streamId: number, block: Buffer, start: number, end: number): void {
    const length = end - start;
    const out = this.#writer.reserve(FRAME_HEADER_BYTES + length);
    const at = writeFrameHeader(out, this.#writer.offset, length, type, flags, streamId);
    block.copy(out, at, start, end);
    this.#writer.commit(at + length);
  }

  #four(type: number, streamId: number, value: number): void {
    const out = this.#writer.reserve(FRAME_HEADER_BYTES + 4);
    const at = writeFrameHeader(out, this.#writer.offset, 4, type, 0, streamId);
    this.#writer.commit(writeUint32(out, at, value));
  }
}
