// HTTP/2 frames as bytes, written by hand so that they can be wrong, and read as far as tests look at them (RFC 9113 §4.1).

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FrameFlag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export const ENHANCE_YOUR_CALM = 11;

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

const HEAD_BYTES = 9;

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, 5);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/** @param values by identifier (§6.5.2). */
export function settings(values: Readonly<Record<number, number>> = {}): Buffer {
  const entries = Object.entries(values);
  const payload = Buffer.alloc(6 * entries.length);
  entries.forEach(([id, value], index) => {
    payload.writeUInt16BE(Number(id), 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  });
  return frame(FrameType.settings, 0, 0, payload);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** HPACK: a literal field that is not put into the table (RFC 7541 §6.2.2), without Huffman. */
export function literalField(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

/** HPACK: a literal field that is put into the table (§6.2.1): it has index 62 then. */
export function indexedLiteral(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x40]), text(name), text(value)]);
}

/** HPACK: the entry that was put into the table last. */
export const NEWEST_ENTRY = Buffer.from([0x80 | 62]);

// §5.1: a length with a prefix of seven bits.
function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** The header block of a request; methods beside GET and POST, and paths, are literals. */
export function requestBlock(method: "GET" | "POST", path: string, ...more: readonly Uint8Array[]): Buffer {
  const known = Buffer.from([method === "GET" ? 0x82 : 0x83, 0x86]);
  return Buffer.concat([known, literalField(":path", path), literalField(":authority", "a"), ...more]);
}

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Cuts what arrives into frames. */
export class FrameCutter {
  #rest: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): SeenFrame[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames: SeenFrame[] = [];
    for (;;) {
      const rest = this.#rest;
      if (rest.length < HEAD_BYTES) return frames;
      const end = HEAD_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < end) return frames;
      frames.push({
        type: rest[3]!,
        flags: rest[4]!,
        streamId: rest.readUInt32BE(5) & 0x7fffffff,
        payload: rest.subarray(HEAD_BYTES, end),
      });
      this.#rest = rest.subarray(end);
    }
  }
}
