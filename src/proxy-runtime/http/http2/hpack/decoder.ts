// Header blocks to fields (RFC 7541 §3, §6). Fields of the tables are handed out as they are; what stands in the block is
// checked once and cut out of one text made of the whole block.
import { HeaderField } from "../../header-field.ts";
import { DynamicTable, ENTRY_OVERHEAD_BYTES } from "./dynamic-table.ts";
import { isMalformedName, isMalformedValue } from "./field-syntax.ts";
import { FAILED, LiteralReader } from "./literal-reader.ts";
import { RepeatedLiterals } from "./repeated-literals.ts";
import { STATIC_COUNT, STATIC_FIELDS } from "./static-table.ts";

export const DecodeResult = { ok: 0, compressionError: 1, listTooLarge: 2 } as const;
export type DecodeResult = (typeof DecodeResult)[keyof typeof DecodeResult];

// RFC 9113 §6.5.2: in force until the peer has seen our settings and says otherwise.
const INITIAL_TABLE_BYTES = 4096;
export class HpackDecoder {
  /** Size of the last list as RFC 9113 §6.5.2 counts it. */
  listBytes = 0;
  readonly #maxTableBytes: number;
  readonly #allowUpperCase: boolean;
  readonly #table = new DynamicTable(INITIAL_TABLE_BYTES);
  readonly #reader: LiteralReader;
  #repeated: RepeatedLiterals | undefined = undefined;

  /**
   * @param maxTableBytes what we announced as SETTINGS_HEADER_TABLE_SIZE.
   * @param allowUpperCase the mesh transport keeps the sender's case in names; else an upper-case name is malformed (RFC 9113 §8.2.1).
   */
  constructor(maxTableBytes: number, allowUpperCase: boolean) {
    this.#maxTableBytes = maxTableBytes;
    this.#allowUpperCase = allowUpperCase;
    this.#reader = new LiteralReader(allowUpperCase);
  }

  /** What was wrong with the last block that was refused. */
  get errorDetail(): string {
    return this.#reader.errorDetail;
  }

  /**
   * Decodes a whole header block and appends its fields to `fields`. A list beyond maxListBytes or maxFields is decoded to
   * its end, so that the dynamic table stays in step; `fields` then holds what fitted. After a compression error the
   * connection can't go on.
   */
  decode(bytes: Buffer, start: number, end: number, fields: HeaderField[], maxListBytes: number, maxFields: number): DecodeResult {
    const reader = this.#reader;
    let at = start;
    // RFC 7541 §4.2: size updates stand before the first field.
    while (at < end && (bytes[at]! & 0xe0) === 0x20) {
      if (!this.#resizeTable(bytes, at, end)) return DecodeResult.compressionError;
      at = reader.at;
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
          index = reader.readInteger(bytes, at, end, 0x7f);
          if (index === FAILED) return DecodeResult.compressionError;
          at = reader.at;
        }
        field = index <= STATIC_COUNT ? STATIC_FIELDS[index] : this.#table.get(index - STATIC_COUNT - 1);
        if (field === undefined) return this.#fail(`no table entry ${index}`);
      } else {
        field = this.#literal(bytes, at, end, first);
        if (field === undefined) return DecodeResult.compressionError;
        at = reader.at;
      }
      listBytes += field.name.length + field.value.length + ENTRY_OVERHEAD_BYTES;
      room -= 1;
      if (listBytes <= maxListBytes && room >= 0) fields.push(field);
    }
    reader.reset();
    this.listBytes = listBytes;
    return listBytes <= maxListBytes && room >= 0 ? DecodeResult.ok : DecodeResult.listTooLarge;
  }

  #resizeTable(bytes: Buffer, at: number, end: number): boolean {
    const reader = this.#reader;
    let size = bytes[at]! & 0x1f;
    reader.at = at + 1;
    if (size === 0x1f) size = reader.readInteger(bytes, at + 1, end, 0x1f);
    if (size === FAILED) return false;
    if (size > this.#maxTableBytes) {
      this.#fail(`table size of ${size} bytes, above the ${this.#maxTableBytes} announced`);
      return false;
    }
    this.#table.resize(size);
    return true;
  }

  // RFC 7541 §6.2: with indexing 01, without 0000, never indexed 0001; the name by its index, or 0 and a string.
  #literal(bytes: Buffer, at: number, end: number, first: number): HeaderField | undefined {
    const isInserted = first >= 0x40;
    if (!isInserted && first >= 0x20) {
      this.#fail("table size update after a field");
      return undefined;
    }
    const reader = this.#reader;
    const prefix = isInserted ? 0x3f : 0x0f;
    let index = first & prefix;
    let next = at + 1;
    if (index === prefix) {
      index = reader.readInteger(bytes, next, end, prefix);
      if (index === FAILED) return undefined;
      next = reader.at;
    }
    if (index === 0) {
      if (reader.readString(bytes, next, end) === FAILED) return undefined;
      const isMalformed = reader.takeName(bytes, end, isInserted);
      return this.#value(bytes, reader.at, end, first, reader.id, reader.name, isMalformed);
    }
    if (index <= STATIC_COUNT) {
      const { id, name } = STATIC_FIELDS[index]!;
      if (first < 0x10 && next < end && bytes[next]! >= 0x80) return this.#repeatedValue(bytes, at, next, end, id, name);
      return this.#value(bytes, next, end, first, id, name, false);
    }
    const named = this.#table.get(index - STATIC_COUNT - 1);
    if (named === undefined) {
      this.#fail(`no table entry ${index}`);
      return undefined;
    }
    // Was it the name, or only the value?
    const isMalformed = named.isMalformed && isMalformedName(named.name, this.#allowUpperCase);
    return this.#value(bytes, next, end, first, named.id, named.name, isMalformed);
  }

  #value(
    bytes: Buffer,
    at: number,
    end: number,
    first: number,
    id: number,
    name: string,
    isNameMalformed: boolean,
  ): HeaderField | undefined {
    const reader = this.#reader;
    if (reader.readString(bytes, at, end) === FAILED) return undefined;
    const isInserted = first >= 0x40;
    const isMalformed = isMalformedValue(reader.source, reader.start, reader.end) || isNameMalformed;
    const isNeverIndexed = !isInserted && first >= 0x10;
    const field = new HeaderField(id, name, reader.takeText(bytes, end, isInserted), isMalformed, isNeverIndexed);
    if (isInserted) this.#table.insert(field);
    return field;
  }

  /** A literal without indexing at bytes[start], whose name is of the static table and whose value is Huffman code. */
  #repeatedValue(bytes: Buffer, start: number, at: number, end: number, id: number, name: string): HeaderField | undefined {
    const length = bytes[at]! & 0x7f;
    const next = at + 1 + length;
    const isShort = length < 0x7f && next <= end;
    const repeated = (this.#repeated ??= new RepeatedLiterals());
    const known = isShort ? repeated.find(bytes, start, next) : undefined;
    if (known !== undefined) {
      this.#reader.at = next;
      return known;
    }
    const field = this.#value(bytes, at, end, 0, id, name, false);
    if (isShort && field !== undefined) repeated.keep(bytes, start, next, field);
    return field;
  }

  #fail(detail: string): typeof DecodeResult.compressionError {
    this.#reader.errorDetail = detail;
    return DecodeResult.compressionError;
  }
}
