// Integers, strings and names of a header block (RFC 7541 §5): where they end, what they say, and as text.
import { HEADER_NAMES, TOKEN_LOWER, UNKNOWN, hashStep, lookupHeaderId } from "../../header-id.ts";
import { pseudoHeaderId } from "./field-syntax.ts";
import { decodeHuffman, maxDecodedBytes } from "./huffman.ts";

// Four more bytes hold 28 bits, far beyond any block; longer forms are overflows or zeros put in for padding (§5.1).
const MAX_INTEGER_SHIFT = 21;
const TRUNCATED = "truncated header block";
// Shorter slices are copies in V8 (SlicedString::kMinLength); longer ones keep the whole text alive.
const MIN_SLICE_LENGTH = 13;

/** What reading answers instead of a value; `errorDetail` says why. */
export const FAILED = -1;

// Where Huffman strings are unpacked; its content is cut out at once.
let scratch: Buffer = Buffer.allocUnsafeSlow(2048);

/** One per decoder. Answers stay here until the next is read. */
export class LiteralReader {
  /** Behind what was read last. */
  at = 0;
  errorDetail = "";
  /** The string read last: its bytes are source[start, end). */
  source: Buffer = scratch;
  start = 0;
  end = 0;
  /** The name read last. */
  id = UNKNOWN;
  name = "";
  readonly #isMesh: boolean;
  // The block from its first string on, as text: slices of it cost a fifth of a latin1Slice each.
  #text = "";
  #textStart = FAILED;

  /** @param isMesh names may have capitals, and there are private pseudo-headers. */
  constructor(isMesh: boolean) {
    this.#isMesh = isMesh;
  }

  /** To be called behind each block: lets go of its bytes and text. */
  reset(): void {
    this.#text = "";
    this.#textStart = FAILED;
    this.source = scratch;
  }

  /** Reads the rest of an integer whose prefix is full (§5.1). */
  readInteger(bytes: Buffer, from: number, end: number, prefix: number): number {
    let value = prefix;
    let at = from;
    for (let shift = 0; shift <= MAX_INTEGER_SHIFT; shift += 7) {
      if (at >= end) return this.#fail(TRUNCATED);
      const byte = bytes[at]!;
      at += 1;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        return value;
      }
    }
    return this.#fail("integer too long");
  }

  /** Reads a string (§5.2). Answers its length, or FAILED. */
  readString(bytes: Buffer, at: number, end: number): number {
    if (at >= end) return this.#fail(TRUNCATED);
    const first = bytes[at]!;
    let length = first & 0x7f;
    let start = at + 1;
    if (length === 0x7f) {
      length = this.readInteger(bytes, start, end, 0x7f);
      if (length === FAILED) return FAILED;
      start = this.at;
    }
    if (length > end - start) return this.#fail(TRUNCATED);
    this.at = start + length;
    if (first < 0x80) {
      this.source = bytes;
      this.start = start;
      this.end = start + length;
      return length;
    }
    const room = maxDecodedBytes(length);
    if (room > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * room);
    const decoded = decodeHuffman(bytes, start, start + length, scratch);
    if (decoded < 0) return this.#fail("invalid Huffman code");
    this.source = scratch;
    this.start = 0;
    this.end = decoded;
    return decoded;
  }

  /** Makes `id` and `name` of the string read last. Answers whether it is malformed (RFC 9113 §8.2.1). */
  takeName(bytes: Buffer, end: number, isKept: boolean): boolean {
    const source = this.source;
    const nameEnd = this.end;
    let at = this.start;
    let hash = 0;
    let lower = 0;
    let caseBits = 0;
    for (; at < nameEnd; at += 1) {
      const byte = source[at]!;
      lower = TOKEN_LOWER[byte]!;
      if (lower === 0) break;
      hash = hashStep(hash, lower);
      caseBits |= lower ^ byte;
    }
    if (lower === 0) {
      this.name = this.takeText(bytes, end, isKept);
      this.id = pseudoHeaderId(this.name, this.#isMesh);
      return this.id === UNKNOWN;
    }
    this.id = lookupHeaderId(hash, source, this.start, nameEnd);
    this.name = this.id !== UNKNOWN && caseBits === 0 ? HEADER_NAMES[this.id]! : this.takeText(bytes, end, isKept);
    return caseBits !== 0 && !this.#isMesh;
  }

  /**
   * Text of the string read last.
   * @param end of the block in `bytes`
   * @param isKept it goes into the table, so it must not hold on to the text of the whole block
   */
  takeText(bytes: Buffer, end: number, isKept: boolean): string {
    const { source, start } = this;
    if (source !== bytes || (isKept && this.end - start >= MIN_SLICE_LENGTH)) return source.latin1Slice(start, this.end);
    if (this.#textStart === FAILED) {
      this.#textStart = start;
      this.#text = bytes.latin1Slice(start, end);
    }
    return this.#text.slice(start - this.#textStart, this.end - this.#textStart);
  }

  #fail(detail: string): typeof FAILED {
    this.errorDetail = detail;
    return FAILED;
  }
}
