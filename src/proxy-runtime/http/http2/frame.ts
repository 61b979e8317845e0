// HTTP/2 frames as numbers (RFC 9113 §4, §6, §7), and the writing of small ones.

export const FRAME_HEADER_BYTES = 9;
/** What we accept and send: the least that anybody must support, and no more (RFC 9113 §4.2). */
export const MAX_FRAME_BYTES = 16384;
/** RFC 9113 §6.9.2. */
export const DEFAULT_WINDOW_BYTES = 65535;
export const MAX_WINDOW_BYTES = 2 ** 31 - 1;
export const MAX_STREAM_ID = 2 ** 31 - 1;

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

const ERROR_NAMES = Object.keys(ErrorCode).map((name) =>
  name.replace(/[A-Z]|1+/g, (part) => [...part].map((char) => `_${char}`).join("")).toUpperCase(),
);

/** `PROTOCOL_ERROR` and so on; a number for codes that nobody has named. */
export function errorName(code: number): string {
  return ERROR_NAMES[code] ?? `error ${code}`;
}

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  /** RFC 8441. */
  enableConnectProtocol: 8,
} as const;

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Writes a frame header at out[at]; returns the offset of the payload. */
export function writeFrameHeader(out: Buffer, at: number, length: number, type: number, flags: number, streamId: number): number {
  out[at] = length >>> 16;
  out[at + 1] = length >>> 8;
  out[at + 2] = length;
  out[at + 3] = type;
  out[at + 4] = flags;
  return writeUint32(out, at + 5, streamId);
}

export function writeUint32(out: Buffer, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

export function readUint32(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Without the reserved bit (stream ids, window increments). */
export function readUint31(bytes: Buffer, at: number): number {
  return readUint32(bytes, at) & 0x7fffffff;
}
