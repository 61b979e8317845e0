// Fields to header blocks (RFC 7541 §6). No Huffman code: between sidecars bytes are cheaper than the time to pack them.
import { EncoderTable } from "./encoder-table.ts";
import type { EncoderName, IndexedValue } from "./encoder-name.ts";
import { Indexing, SHORT_COOKIE_BYTES } from "./indexing-policy.ts";

// RFC 9113 §6.5.2: in force until the peer's settings say otherwise.
const INITIAL_TABLE_BYTES = 4096;
// Up to here a loop beats the call of latin1Write; longer slices are no flat text, too (V8's SlicedString).
const SHORT_STRING_LENGTH = 13;

// First bits of each representation, RFC 7541 §6.
const INDEXED = 0x80;
const INSERTED = 0x40;
const SIZE_UPDATE = 0x20;
const NEVER_INDEXED = 0x10;
const NOT_INDEXED = 0x00;

// Values seen lately, by hash; a power of two.
const SIGHTINGS = 128;
const HASHED_BYTES = 64;

export class HpackEncoder {
  readonly #table: EncoderTable;
  readonly #maxTableBytes: number;
  /** Table size to announce, and the lowest it had since the last block. */
  #tableBytes: number;
  #lowestTableBytes: number;
  readonly #sightings = new Int32Array(SIGHTINGS);

  /**
   * @param maxTableBytes most that we will use, whatever the peer allows.
   * @param keepCase names go out as given (mesh transport); else lower-cased.
   */
  constructor(maxTableBytes: number, keepCase: boolean) {
    this.#table = new EncoderTable(INITIAL_TABLE_BYTES, keepCase);
    this.#maxTableBytes = maxTableBytes;
    this.#tableBytes = this.#lowestTableBytes = Math.min(maxTableBytes, INITIAL_TABLE_BYTES);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; a change is announced at the start of the next block. */
  setPeerTableBytes(bytes: number): void {
    this.#tableBytes = Math.min(bytes, this.#maxTableBytes);
    this.#lowestTableBytes = Math.min(this.#lowestTableBytes, this.#tableBytes);
  }

  /** Starts a block at out[at]; returns the next offset. Takes at most 8 bytes. */
  begin(out: Buffer, at: number): number {
    const table = this.#table;
    table.startBlock();
    let next = at;
    // RFC 7541 §4.2: of several changes the lowest and the final are told.
    if (this.#lowestTableBytes < table.maxBytes) {
      table.resize(this.#lowestTableBytes);
      next = writeInteger(out, next, SIZE_UPDATE, 0x1f, this.#lowestTableBytes);
    }
    if (this.#tableBytes !== table.maxBytes) {
      table.resize(this.#tableBytes);
      next = writeInteger(out, next, SIZE_UPDATE, 0x1f, this.#tableBytes);
    }
    this.#lowestTableBytes = this.#tableBytes;
    return next;
  }

  /**
   * Appends one field; the caller guarantees room of name.length + value.length + 16 bytes. Returns the next offset.
   * @param id HeaderId, that of a pseudo-header too, or UNKNOWN.
   * @param value latin1, as is the name.
   * @param isNeverIndexed it came as a literal that no table may hold.
   */
  encode(out: Buffer, at: number, id: number, name: string, value: string, isNeverIndexed = false): number {
    const known = this.#table.nameOf(id, name);
    if (isNeverIndexed) return this.#literal(out, at, NEVER_INDEXED, 0x0f, known, value);
    const { last } = known;
    if (last !== undefined && last.value === value) return this.#indexed(out, at, last);
    const { indexing } = known;
    if (indexing === Indexing.never || (indexing === Indexing.secondUnlessShort && value.length < SHORT_COOKIE_BYTES)) {
      return this.#literal(out, at, NEVER_INDEXED, 0x0f, known, value);
    }
    // A name that comes again gets an entry with whatever value, to be named by from now on.
    if (known.staticIndex === 0 && known.newest === undefined && indexing !== Indexing.first) {
      if (known.isKnown) return this.#newValue(out, at, known, value);
      known.isKnown = true;
      return this.#literal(out, at, NOT_INDEXED, 0x0f, known, value);
    }
    if (indexing === Indexing.literal) return this.#literal(out, at, NOT_INDEXED, 0x0f, known, value);
    const entry = this.#table.find(known, value);
    if (entry !== undefined) return this.#indexed(out, at, entry);
    if (indexing === Indexing.first) return this.#newValue(out, at, known, value);
    const next = this.#literal(out, at, NOT_INDEXED, 0x0f, known, value);
    // What was written is hashed where it is: faster than text.
    return this.#isSecondSighting(out, next, known, value.length) ? this.#newValue(out, at, known, value) : next;
  }

  #indexed(out: Buffer, at: number, entry: IndexedValue): number {
    const index = this.#table.indexOf(entry);
    if (index >= 0x7f) return writeInteger(out, at, INDEXED, 0x7f, index);
    out[at] = INDEXED | index;
    return at + 1;
  }

  #newValue(out: Buffer, at: number, known: EncoderName, value: string): number {
    if (!this.#table.isWorthIt(known, value)) return this.#literal(out, at, NOT_INDEXED, 0x0f, known, value);
    const next = this.#literal(out, at, INSERTED, 0x3f, known, value);
    this.#table.insert(known, value);
    return next;
  }

  #literal(out: Buffer, at: number, bits: number, prefix: number, known: EncoderName, value: string): number {
    const index = this.#table.nameIndexOf(known);
    let next = at + 1;
    if (index < prefix) out[at] = bits | index;
    else next = writeInteger(out, at, bits, prefix, index);
    if (index === 0) next = writeString(out, next, known.sentName);
    return writeString(out, next, value);
  }

  /** Whether the value of `length` bytes before `end` was seen lately; remembers it. */
  #isSecondSighting(out: Buffer, end: number, known: EncoderName, length: number): boolean {
    let hash = length + known.sentName.length;
    for (let at = end - Math.min(length, HASHED_BYTES); at < end; at += 1) hash = (Math.imul(hash, 31) + out[at]!) | 0;
    const slot = (hash ^ (hash >>> 8)) & (SIGHTINGS - 1);
    if (this.#sightings[slot] === hash) return true;
    this.#sightings[slot] = hash;
    return false;
  }
}

function writeString(out: Buffer, at: number, text: string): number {
  const { length } = text;
  let next = at + 1;
  if (length < 0x7f) out[at] = length;
  else next = writeInteger(out, at, 0, 0x7f, length);
  if (length >= SHORT_STRING_LENGTH) {
    out.latin1Write(text, next, length);
    return next + length;
  }
  for (let index = 0; index < length; index += 1) out[next + index] = text.charCodeAt(index);
  return next + length;
}

/** RFC 7541 §5.1. */
function writeInteger(out: Buffer, at: number, bits: number, prefix: number, value: number): number {
  if (value < prefix) {
    out[at] = bits | value;
    return at + 1;
  }
  out[at] = bits | prefix;
  let rest = value - prefix;
  let next = at + 1;
  for (; rest >= 0x80; rest >>>= 7) out[next++] = (rest & 0x7f) | 0x80;
  out[next] = rest;
  return next + 1;
}
