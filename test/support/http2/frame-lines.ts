// What a connection sends, as lines of the notation of frame-notation.ts. Responses are told by their status alone, their
// other fields only where a reader asks for them, after what the block says of the table's size; GOAWAY without its text.
import { HpackDecoder } from "../../../src/proxy-runtime/http/http2/hpack/decoder.ts";
import { ERRORS, FLAGS, frameName, PREFACE, SETTINGS } from "./frame-notation.ts";

export interface ReadFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export interface FrameLinesOptions {
  /** Which fields of a header block are told, by name; all of them where left out. */
  readonly showsField?: (name: string) => boolean;
  /** Whether a client's connection preface comes first. */
  readonly isFromClient?: boolean;
  /** Names keep their case, and there are private pseudo-headers. */
  readonly isMesh?: boolean;
  readonly onFrame?: (frame: ReadFrame) => void;
}

export class FrameLines {
  readonly lines: string[] = [];
  readonly #options: FrameLinesOptions;
  readonly #decoder: HpackDecoder;
  #rest: Buffer = Buffer.alloc(0);
  #block: Buffer | undefined;
  #needsPreface: boolean;

  constructor(options: FrameLinesOptions = {}) {
    this.#options = options;
    this.#decoder = new HpackDecoder(4096, options.isMesh ?? false);
    this.#needsPreface = options.isFromClient ?? false;
  }

  /** Takes bytes and appends a line for each frame that has become whole. */
  push(bytes: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (this.#needsPreface && this.#rest.length >= PREFACE.length) {
      this.lines.push(this.#rest.subarray(0, PREFACE.length).equals(PREFACE) ? "PREFACE" : "no preface");
      this.#rest = this.#rest.subarray(PREFACE.length);
      this.#needsPreface = false;
    }
    while (!this.#needsPreface && this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      const head = this.#rest;
      this.#rest = head.subarray(end);
      const frame = { type: head[3]!, flags: head[4]!, streamId: head.readUInt32BE(5), payload: head.subarray(9, end) };
      this.#options.onFrame?.(frame);
      this.lines.push(this.#tell(frame));
    }
  }

  #tell(frame: ReadFrame): string {
    const { type, flags, streamId, payload } = frame;
    const name = frameName(type);
    const argumentsOf = (...list: readonly (string | number)[]): string => `${name}(${list.join(", ")})`;
    switch (name) {
      case "DATA":
        return argumentsOf(streamId, flagNames(flags), payload.length > 60 ? `${payload.length} bytes` : `"${payload.latin1Slice()}"`);
      case "HEADERS":
      case "CONTINUATION":
        return argumentsOf(streamId, flagNames(flags), this.#fields(flags, payload));
      case "RST_STREAM":
        return argumentsOf(streamId, errorName(payload.readUInt32BE()));
      case "SETTINGS": {
        if ((flags & 1) !== 0) return argumentsOf("ACK");
        const values: string[] = [];
        for (let at = 0; at < payload.length; at += 6) {
          const id = payload.readUInt16BE(at);
          values.push(`${SETTINGS[id] ?? id}=${payload.readUInt32BE(at + 2)}`);
        }
        return argumentsOf(...values);
      }
      case "PING":
        return (flags & 1) !== 0 ? argumentsOf("ACK", `"${payload.latin1Slice()}"`) : argumentsOf(`"${payload.latin1Slice()}"`);
      case "GOAWAY":
        return argumentsOf(payload.readUInt32BE(), errorName(payload.readUInt32BE(4)));
      case "WINDOW_UPDATE":
        return argumentsOf(streamId, payload.readUInt32BE());
      case "PRIORITY":
      case "PUSH_PROMISE":
        return argumentsOf(streamId, payload.toString("hex"));
      case undefined:
        return `FRAME(${type}, ${flags}, ${streamId}, hex:${payload.toString("hex")})`;
    }
  }

  #fields(flags: number, payload: Buffer): string {
    this.#block = this.#block === undefined ? payload : Buffer.concat([this.#block, payload]);
    if ((flags & FLAGS.END_HEADERS) === 0) return "…";
    const fields: { name: string; value: string }[] = [];
    const block = this.#block;
    const result = this.#decoder.decode(block, 0, block.length, fields as never, 1e9, 1e9);
    this.#block = undefined;
    if (result !== 0) return `bad block: ${this.#decoder.errorDetail}`;
    const { showsField = () => true } = this.#options;
    const shown = fields.filter(({ name }) => showsField(name)).map(({ name, value }) => `[${name} ${value}]`);
    return [...sizeUpdates(block), ...shown].join("");
  }
}

/** What a block says of the table before its first field (RFC 7541 §6.3), as `[table 4096]`. */
function sizeUpdates(block: Buffer): string[] {
  const updates: string[] = [];
  for (let at = 0; at < block.length && block[at]! >> 5 === 1;) {
    let size = block[at]! & 0x1f;
    at += 1;
    for (let shift = 0, more = size === 0x1f; more; shift += 7, at += 1) {
      size += (block[at]! & 0x7f) * 2 ** shift;
      more = block[at]! >= 0x80;
    }
    updates.push(`[table ${size}]`);
  }
  return updates;
}

function flagNames(flags: number): string {
  const names = Object.entries(FLAGS).filter(([, bit]) => (flags & bit) !== 0);
  return names.length === 0 ? "0" : names.map(([name]) => name).join("|");
}

function errorName(code: number): string {
  return ERRORS[code] ?? String(code);
}
