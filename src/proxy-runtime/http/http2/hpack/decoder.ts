// Header blocks to fields (RFC 7541 §3, §6). Fields of the tables are handed out as they are; what stands in the block is
// checked once and cut out of one text made of the whole block.
import { HeaderField } from "../../header-field.ts";
import { HEADER_NAMES, TOKEN_LOWER, UNKNOWN, hashStep, lookupHeaderId } from "../../header-id.ts";
import { DynamicTable, ENTRY_OVERHEAD_BYTES } from "./dynamic-table.ts";
import { isMalformedName, isMalformedValue, pseudoHeaderId } from "./field-syntax.ts";
import { decodeHuffman, maxDecodedBytes } from "./huffman.ts";
import { STATIC_COUNT, STATIC_FIELDS } from "./static-table.ts";

export const DecodeResult = { ok: 0, compressionError: 1, listTooLarge: 2 } as const;
export type DecodeResult = (typeof DecodeResult)[keyof typeof DecodeResult];

// RFC 9113 §6.5.2: in force until the peer has seen our settings and says otherwise.
const INITIAL_TABLE_BYTES = 4096;
// Four more bytes hold 28 bits, far beyond any block; longer forms are overflows or zeros put in for padding (RFC 7541 §5.1).
const MAX_INTEGER_SHIFT = 21;
const FAILED = -1;
const TRUNCATED = "truncated header block";
// Shorter slices are copies in V8 (SlicedString::kMinLength); longer ones keep the whole text alive.
const MIN_SLICE_LENGTH = 13;

// Where Huffman strings are unpacked; its content is cut out at once.
let scratch: Buffer = Buffer.allocUnsafeSlow(2048);

export class HpackDecoder {
  /** What was wrong with the last block that was refused. */
  errorDetail = "";
  /** Size of the last list as RFC 9113 §6.5.2 counts it. */
  listBytes = 0;
  readonly #maxTableBytes: number;
  readonly #allowUpperCase: boolean;
  readonly #table = new DynamicTable(INITIAL_TABLE_BYTES);
  // Where reading stands, between the parts of one field.
  #at = 0;
  // The block from its first literal on, as text: slices of it cost a fifth of a latin1Slice each.
  #text = "";
  #textStart = FAILED;
  // The string read last: its bytes are source[start, end).
  #source: Buffer = scratch;
  #start = 0;
  #end = 0;
  // The name of the literal that is being read.
  #id = UNKNOWN;
  #name = "";

  /**
   * @param maxTableBytes what we announced as SETTINGS_HEADER_TABLE_SIZE.
   * @param allowUpperCase the mesh transport keeps the sender's case in names; else an upper-case name is malformed (RFC 9113 §8.2.1).
   */
  constructor(maxTableBytes: number, allowUpperCase: boolean) {
    this.#maxTableBytes = maxTableBytes;
    this.#allowUpperCase = allowUpperCase;
  }

  /**
   * Decodes a whole header block and appends its fields to `fields`. A list beyond maxListBytes or maxFields is decoded to
   * its end, so that the dynamic table stays in step; `fields` then holds what fitted. After a compression error the
   * connection can't go on.
   */
  decode(bytes: Buffer, start: number, end: number, fields: HeaderField[], maxListBytes: number, maxFields: number): DecodeResult {
    this.#textStart = FAILED;
    let at = start;
    // RFC 7541 §4.2: size updates stand before the first field.
    while (at < end && (bytes[at]! & 0xe0) === 0x20) {
      if (!this.#resizeTable(bytes, at, end)) return DecodeResult.compressionError;
      at = this.#at;
    }
    let listBytes = 0;
    let room = maxFields;
    while (at < end) {
      const first = bytes[at]!;
      let field: HeaderField | undefined;
      if (first >= 0x80) {
        let index = first & 0x7f;
        at += 1;
        if (index === 0x7f) {
          index = this.#integer(bytes, at, end, 0x7f);
          if (index === FAILED) return DecodeResult.compressionError;
          at = this.#at;
        }
        field = index <= STATIC_COUNT ? STATIC_FIELDS[index] : this.#table.get(index - STATIC_COUNT - 1);
        if (field === undefined) return this.#badIndex(index);
      } else {
        field = this.#literal(bytes, at, end, first);
        if (field === undefined) return DecodeResult.compressionError;
        at = this.#at;
      }
      listBytes += field.name.length + field.value.length + ENTRY_OVERHEAD_BYTES;
      room -= 1;
      if (listBytes <= maxListBytes && room >= 0) fields.push(field);
    }
    this.#text = "";
    this.#source = scratch;
    this.listBytes = listBytes;
    return listBytes <= maxListBytes && room >= 0 ? DecodeResult.ok : DecodeResult.listTooLarge;
  }

  #resizeTable(bytes: Buffer, at: number, end: number): boolean {
    let size = bytes[at]! & 0x1f;
    this.#at = at + 1;
    if (size === 0x1f) size = this.#integer(bytes, at + 1, end, 0x1f);
    if (size === FAILED) return false;
    if (size > this.#maxTableBytes) {
      this.errorDetail = `table size of ${size} bytes, above the ${this.#maxTableBytes} announced`;
      return false;
    }
    this.#table.resize(size);
    return true;
  }

  // RFC 7541 §6.2: with indexing 01, without 0000, never indexed 0001; the name by its index, or 0 and a string.
  #literal(bytes: Buffer, at: number, end: number, first: number): HeaderField | undefined {
    const isInserted = first >= 0x40;
    if (!isInserted && first >= 0x20) {
      this.errorDetail = "table size update after a field";
      return undefined;
    }
    const prefix = isInserted ? 0x3f : 0x0f;
    let index = first & prefix;
    let next = at + 1;
    if (index === prefix) {
      index = this.#integer(bytes, next, end, prefix);
      if (index === FAILED) return undefined;
      next = this.#at;
    }
    let isMalformed = false;
    if (index === 0) {
      if (!this.#string(bytes, next, end)) return undefined;
      next = this.#at;
      isMalformed = this.#readName(bytes, end, isInserted);
    } else {
      const named = index <= STATIC_COUNT ? STATIC_FIELDS[index] : this.#table.get(index - STATIC_COUNT - 1);
      if (named === undefined) {
        this.#badIndex(index);
        return undefined;
      }
      this.#id = named.id;
      this.#name = named.name;
      // Was it the name, or only the value?
      if (named.isMalformed) isMalformed = isMalformedName(named.name, this.#allowUpperCase);
    }
    if (!this.#string(bytes, next, end)) return undefined;
    if (isMalformedValue(this.#source, this.#start, this.#end)) isMalformed = true;
    const field = new HeaderField(this.#id, this.#name, this.#cut(bytes, end, isInserted), isMalformed, (first & 0xf0) === 0x10);
    if (isInserted) this.#table.insert(field);
    return field;
  }

  /** Makes #id and #name of the string read last. Answers whether it is malformed. */
  #readName(bytes: Buffer, end: number, isKept: boolean): boolean {
    const source = this.#source;
    const nameEnd = this.#end;
    let at = this.#start;
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
      this.#name = this.#cut(bytes, end, isKept);
      this.#id = pseudoHeaderId(this.#name, this.#allowUpperCase);
      return this.#id === UNKNOWN;
    }
    this.#id = lookupHeaderId(hash, source, this.#start, nameEnd);
    this.#name = this.#id !== UNKNOWN && caseBits === 0 ? HEADER_NAMES[this.#id]! : this.#cut(bytes, end, isKept);
    return caseBits !== 0 && !this.#allowUpperCase;
  }

  /** Finds the string at an offset (RFC 7541 §5.2) and reads on behind it. */
  #string(bytes: Buffer, at: number, end: number): boolean {
    if (at >= end) return this.#isTruncated();
    const first = bytes[at]!;
    let length = first & 0x7f;
    let start = at + 1;
    if (length === 0x7f) {
      length = this.#integer(bytes, start, end, 0x7f);
      if (length === FAILED) return false;
      start = this.#at;
    }
    if (length > end - start) return this.#isTruncated();
    const next = start + length;
    this.#at = next;
    if (first < 0x80) {
      this.#source = bytes;
      this.#start = start;
      this.#end = next;
      return true;
    }
    const room = maxDecodedBytes(length);
    if (room > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * room);
    const decoded = decodeHuffman(bytes, start, next, scratch);
    if (decoded < 0) {
      this.errorDetail = "invalid Huffman code";
      return false;
    }
    this.#source = scratch;
    this.#start = 0;
    this.#end = decoded;
    return true;
  }

  /** Text of the string read last. One that is kept in the table must not hold on to the text of the whole block. */
  #cut(bytes: Buffer, end: number, isKept: boolean): string {
    const source = this.#source;
    const from = this.#start;
    const to = this.#end;
    if (source !== bytes || (isKept && to - from >= MIN_SLICE_LENGTH)) return source.latin1Slice(from, to);
    if (this.#textStart === FAILED) {
      this.#textStart = from;
      this.#text = bytes.latin1Slice(from, end);
    }
    return this.#text.slice(from - this.#textStart, to - this.#textStart);
  }

  /** The rest of an integer whose prefix is full (RFC 7541 §5.1). */
  #integer(bytes: Buffer, from: number, end: number, prefix: number): number {
    let value = prefix;
    let at = from;
    for (let shift = 0; shift <= MAX_INTEGER_SHIFT; shift += 7) {
      if (at >= end) {
        this.errorDetail = TRUNCATED;
        return FAILED;
      }
      const byte = bytes[at]!;
      at += 1;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#at = at;
        return value;
      }
    }
    this.errorDetail = "integer too long";
    return FAILED;
  }

  #isTruncated(): false {
    this.errorDetail = TRUNCATED;
    return false;
  }

  #badIndex(index: number): typeof DecodeResult.compressionError {
    this.errorDetail = `no table entry ${index}`;
    return DecodeResult.compressionError;
  }
}
