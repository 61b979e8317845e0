// Cuts an HTTP/2 connection's bytes into frames (RFC 9113 §4.1). DATA is handed on as it arrives, without its padding;
// every other frame is whole when its owner sees it, in place where one read held it all.
import { ErrorCode, FRAME_HEADER_BYTES, Flag, FrameType, MAX_FRAME_BYTES, readUint31 } from "./frame.ts";

/** Answers of false end the reading: the connection has failed. */
export interface FrameSink {
  /** Any frame but DATA; bytes[start, end) is its payload. */
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean;
  /** The head of a DATA frame; `length` counts its padding, as flow control does (§6.9.1). */
  onDataHead(streamId: number, flags: number, length: number): boolean;
  /** A piece of the same frame's data; `last` with its end. */
  onDataPiece(streamId: number, bytes: Buffer, start: number, end: number, last: boolean): boolean;
  onFrameError(code: number, detail: string): void;
}

const STATES = { head: 0, payload: 1, padLength: 2, data: 3, padding: 4 } as const;
const { head: HEAD, payload: PAYLOAD, padLength: PAD_LENGTH, data: DATA, padding: PADDING } = STATES;
type State = (typeof STATES)[keyof typeof STATES];

// `HTTP`, the beginning of an HTTP/1 response, read as a frame's length and type: most likely the peer speaks no HTTP/2.
const HTTP1_LENGTH = 0x485454;
const HTTP1_TYPE = 0x50;

export class FrameReader {
  readonly #sink: FrameSink;
  #state: State = HEAD;
  /** A head, or a payload, that came in pieces. */
  #pieces: Buffer | undefined = undefined;
  #used = 0;
  #length = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Of a DATA frame: data and padding still to come. */
  #data = 0;
  #padding = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Reads all of bytes[start, end). Answers false when the connection has failed. */
  read(bytes: Buffer, start: number, end: number): boolean {
    let at = start;
    while (at < end) {
      switch (this.#state) {
        case HEAD: {
          if (this.#used === 0 && end - at >= FRAME_HEADER_BYTES) {
            if (!this.#readHead(bytes, at)) return false;
            at += FRAME_HEADER_BYTES;
          } else {
            at += this.#collect(bytes, at, end, FRAME_HEADER_BYTES);
            if (this.#used < FRAME_HEADER_BYTES) return true;
            this.#used = 0;
            if (!this.#readHead(this.#pieces!, 0)) return false;
          }
          // Frames without payload end with their head.
          if ((this.#state as State) === PAYLOAD && this.#length === 0 && !this.#deliver(bytes, at, at)) return false;
          break;
        }
        case PAYLOAD: {
          const length = this.#length;
          if (this.#used === 0 && end - at >= length) {
            at += length;
            if (!this.#deliver(bytes, at - length, at)) return false;
          } else {
            at += this.#collect(bytes, at, end, length);
            if (this.#used < length) return true;
            this.#used = 0;
            const whole = this.#pieces!;
            this.#pieces = undefined;
            if (!this.#deliver(whole, 0, length)) return false;
          }
          break;
        }
        case PAD_LENGTH: {
          const padding = bytes[at]!;
          at += 1;
          // §6.1: padding as long as the payload or longer.
          if (padding >= this.#length) return this.#fail(ErrorCode.protocolError, "padding longer than the frame");
          this.#padding = padding;
          this.#data = this.#length - 1 - padding;
          if (this.#data > 0) this.#state = DATA;
          else if (!this.#endData(bytes, at)) return false;
          break;
        }
        case DATA: {
          const size = Math.min(this.#data, end - at);
          this.#data -= size;
          at += size;
          const last = this.#data === 0;
          if (last) this.#state = this.#padding > 0 ? PADDING : HEAD;
          if (!this.#sink.onDataPiece(this.#streamId, bytes, at - size, at, last)) return false;
          break;
        }
        case PADDING: {
          const size = Math.min(this.#padding, end - at);
          this.#padding -= size;
          at += size;
          if (this.#padding === 0) this.#state = HEAD;
          break;
        }
      }
    }
    return true;
  }

  #readHead(bytes: Buffer, at: number): boolean {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const streamId = readUint31(bytes, at + 5);
    if (length > MAX_FRAME_BYTES) {
      const isHttp1 = length === HTTP1_LENGTH && type === HTTP1_TYPE;
      return this.#fail(ErrorCode.frameSizeError, isHttp1 ? "spoken to in HTTP/2, answers in HTTP/1" : `frame of ${length} bytes`);
    }
    this.#length = length;
    this.#type = type;
    this.#flags = flags;
    this.#streamId = streamId;
    if (type !== FrameType.data) {
      this.#state = PAYLOAD;
      return true;
    }
    if (!this.#sink.onDataHead(streamId, flags, length)) return false;
    this.#padding = 0;
    this.#data = length;
    if ((flags & Flag.padded) !== 0) {
      if (length === 0) return this.#fail(ErrorCode.frameSizeError, "padded frame without a pad length");
      this.#state = PAD_LENGTH;
      return true;
    }
    if (length > 0) {
      this.#state = DATA;
      return true;
    }
    return this.#endData(bytes, at);
  }

  /** A DATA frame without data, or with padding only. */
  #endData(bytes: Buffer, at: number): boolean {
    this.#state = this.#padding > 0 ? PADDING : HEAD;
    return this.#sink.onDataPiece(this.#streamId, bytes, at, at, true);
  }

  #deliver(bytes: Buffer, start: number, end: number): boolean {
    this.#state = HEAD;
    return this.#sink.onFrame(this.#type, this.#flags, this.#streamId, bytes, start, end);
  }

  #collect(bytes: Buffer, at: number, end: number, wanted: number): number {
    if (this.#used === 0) this.#pieces = Buffer.allocUnsafeSlow(wanted);
    const size = Math.min(wanted - this.#used, end - at);
    this.#pieces!.set(bytes.subarray(at, at + size), this.#used);
    this.#used += size;
    return size;
  }

  #fail(code: number, detail: string): false {
    this.#sink.onFrameError(code, detail);
    return false;
  }
}
