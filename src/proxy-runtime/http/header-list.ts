// The headers of one message, in order, in the sender's case. What a parser found stays where it is in the head's text
// and is cut out when somebody asks; edits only mark a line as removed or append one, so lines that nobody touched go out
// again as the slices they came in.
import { HeaderField, type ConstantHeader } from "./header-field.ts";
import { HEADER_NAMES, REMOVED, UNKNOWN, headerIdOf } from "./header-id.ts";

const SPACE = 32;
const NO_OFFSETS: readonly number[] = [];

/** Several headers, to be asked for at once. */
export class HeaderMask {
  readonly low: number;
  readonly high: number;

  constructor(ids: readonly number[]) {
    let low = 0;
    let high = 0;
    for (const id of ids) {
      if (id < 32) low |= 1 << id;
      else high |= 1 << (id - 32);
    }
    this.low = low;
    this.high = high;
  }
}

export class HeaderList {
  /** One id per header: HeaderId, UNKNOWN or REMOVED; those of the text first, then the appended. */
  readonly ids: number[];
  readonly #text: string;
  /** Per header of the text: start and end of its name, start and end of its value; then the end of the last line. */
  readonly #offsets: readonly number[];
  readonly #parsed: number;
  /** Bit n: an id of n (of n + 32) may be there; most questions are about headers that are not. */
  #low = 0;
  #high = 0;
  /** Bit n: a header without an id may be there whose name's length and last letter sum to n (modulo 32). */
  #unknown = 0;
  readonly #added: HeaderField[] = [];

  /** @param text latin1 text that the offsets point into; each line ends in CRLF. Takes ownership of `ids`. */
  constructor(text = "", offsets: readonly number[] = NO_OFFSETS, ids: number[] = []) {
    this.#text = text;
    this.#offsets = offsets;
    this.ids = ids;
    this.#parsed = ids.length;
    for (let index = 0; index < ids.length; index += 1) {
      const id = ids[index]!;
      this.#mark(id);
      if (id !== UNKNOWN) continue;
      const end = offsets[4 * index + 1]!;
      this.#markUnknown(text.charCodeAt(end - 1), end - offsets[4 * index]!);
    }
  }

  /** From name, value, …: for replies and tests. */
  static of(entries: readonly string[]): HeaderList {
    const list = new HeaderList();
    for (let index = 0; index < entries.length; index += 2) list.append(headerIdOf(entries[index]!), entries[index]!, entries[index + 1]!);
    return list;
  }

  nameAt(index: number): string {
    if (index >= this.#parsed) return this.#added[index - this.#parsed]!.name;
    return this.#text.slice(this.#offsets[4 * index], this.#offsets[4 * index + 1]);
  }

  valueAt(index: number): string {
    if (index >= this.#parsed) return this.#added[index - this.#parsed]!.value;
    return this.#text.slice(this.#offsets[4 * index + 2], this.#offsets[4 * index + 3]);
  }

  /** It came so in a header block (RFC 7541 §7.1.3). */
  isNeverIndexedAt(index: number): boolean {
    return index >= this.#parsed && this.#added[index - this.#parsed]!.isNeverIndexed;
  }

  /** First value of a known header. */
  get(id: number): string | undefined {
    const index = this.#indexOf(id, 0);
    return index < 0 ? undefined : this.valueAt(index);
  }

  has(id: number): boolean {
    return this.#indexOf(id, 0) >= 0;
  }

  /** All values of a known header, joined with `,` as Envoy's matchers see them; undefined when absent. */
  joined(id: number): string | undefined {
    let index = this.#indexOf(id, 0);
    if (index < 0) return undefined;
    let value = this.valueAt(index);
    while ((index = this.#indexOf(id, index + 1)) >= 0) value = `${value},${this.valueAt(index)}`;
    return value;
  }

  /** As `joined`, by lower-case name. */
  getByName(lowerName: string): string | undefined {
    const id = headerIdOf(lowerName);
    return id === UNKNOWN ? this.joinedUnknown(lowerName) : this.joined(id);
  }

  /** As `joined`, for a lower-case name that has no id. */
  joinedUnknown(lowerName: string): string | undefined {
    let found: string | undefined;
    for (let index = this.#findUnknown(lowerName, 0); index >= 0; index = this.#findUnknown(lowerName, index + 1)) {
      found = found === undefined ? this.valueAt(index) : `${found},${this.valueAt(index)}`;
    }
    return found;
  }

  /** False: none of the mask's headers is there. One look for all of them. */
  mayHave(mask: HeaderMask): boolean {
    return ((this.#low & mask.low) | (this.#high & mask.high)) !== 0;
  }

  append(id: number, name: string, value: string): void {
    this.appendField(new HeaderField(id, name, value));
  }

  appendField(field: HeaderField): void {
    this.#added.push(field);
    this.ids.push(field.id);
    this.#mark(field.id);
    if (field.id === UNKNOWN) this.#markUnknown(field.name.charCodeAt(field.name.length - 1), field.name.length);
  }

  /** The header at an index as a field: the very one that was appended, a new one for a line of the text. */
  fieldAt(index: number): HeaderField {
    if (index >= this.#parsed) return this.#added[index - this.#parsed]!;
    return new HeaderField(this.ids[index]!, this.nameAt(index), this.valueAt(index));
  }

  /** Makes this the only value of a known header; the name keeps the sender's case. */
  set(id: number, value: string): void {
    const first = this.#indexOf(id, 0);
    if (first < 0) return this.append(id, HEADER_NAMES[id]!, value);
    const name = this.nameAt(first);
    this.remove(id);
    this.append(id, name, value);
  }

  /** As `set` and `setUnknown`, with a value that many messages get. */
  setConstant(constant: ConstantHeader): void {
    const { field } = constant;
    const { id } = field;
    const first = id === UNKNOWN ? this.#findUnknown(field.lowerName, 0) : this.#indexOf(id, 0);
    if (first < 0) return this.appendField(field);
    const name = this.nameAt(first);
    if (id === UNKNOWN) this.removeUnknown(field.lowerName);
    else this.remove(id);
    this.appendField(constant.named(name));
  }

  /** As `set`, by name. */
  setByName(name: string, value: string): void {
    const id = headerIdOf(name);
    if (id === UNKNOWN) this.setUnknown(name, name.toLowerCase(), value);
    else this.set(id, value);
  }

  /** As `set`, for a name that has no id. */
  setUnknown(name: string, lowerName: string, value: string): void {
    const first = this.#findUnknown(lowerName, 0);
    if (first < 0) return this.append(UNKNOWN, name, value);
    const kept = this.nameAt(first);
    this.removeUnknown(lowerName);
    this.append(UNKNOWN, kept, value);
  }

  remove(id: number): void {
    for (let index = this.#indexOf(id, 0); index >= 0; index = this.#indexOf(id, index + 1)) this.ids[index] = REMOVED;
  }

  /** By lower-case name. */
  removeByName(lowerName: string): void {
    const id = headerIdOf(lowerName);
    if (id === UNKNOWN) this.removeUnknown(lowerName);
    else this.remove(id);
  }

  removeUnknown(lowerName: string): void {
    for (let index = this.#findUnknown(lowerName, 0); index >= 0; index = this.#findUnknown(lowerName, index + 1))
      this.ids[index] = REMOVED;
  }

  /** `Name: value\r\n` for every header whose id is not marked in `skipped`. */
  toLines(skipped: Uint8Array): string {
    const { ids } = this;
    const offsets = this.#offsets;
    const parsed = this.#parsed;
    let text = "";
    let start = -1;
    for (let index = 0; index < parsed; index += 1) {
      const id = ids[index]!;
      if (id !== REMOVED && skipped[id] === 0 && this.#isPlain(index)) {
        if (start < 0) start = offsets[4 * index]!;
        continue;
      }
      if (start >= 0) text += this.#text.slice(start, offsets[4 * index]);
      start = -1;
      if (id !== REMOVED && skipped[id] === 0) text += `${this.nameAt(index)}: ${this.valueAt(index)}\r\n`;
    }
    if (start >= 0) text += this.#text.slice(start, offsets[4 * parsed]);
    const added = this.#added;
    for (let index = parsed; index < ids.length; index += 1) {
      const id = ids[index]!;
      if (id === REMOVED || skipped[id] !== 0) continue;
      text += added[index - parsed]!.line;
    }
    return text;
  }

  /** Pairs that are still there, flat. */
  toFlat(): string[] {
    const flat: string[] = [];
    for (let index = 0; index < this.ids.length; index += 1) {
      if (this.ids[index] !== REMOVED) flat.push(this.nameAt(index), this.valueAt(index));
    }
    return flat;
  }

  clone(): HeaderList {
    return HeaderList.of(this.toFlat());
  }

  /** Notes a name that has no id. Letters differ by case in one bit, which is set for both. */
  #markUnknown(last: number, length: number): void {
    this.#unknown |= 1 << (((last | 32) + length) & 31);
  }

  #mark(id: number): void {
    if (id < 32) this.#low |= 1 << id;
    else this.#high |= 1 << (id - 32);
  }

  #indexOf(id: number, from: number): number {
    if (((id < 32 ? this.#low >> id : this.#high >> (id - 32)) & 1) === 0) return -1;
    const { ids } = this;
    for (let index = from; index < ids.length; index += 1) if (ids[index] === id) return index;
    return -1;
  }

  /** The line is `Name: value` with one space: odd blanks, which others may read otherwise, go no further. */
  #isPlain(index: number): boolean {
    const offsets = this.#offsets;
    const nameEnd = offsets[4 * index + 1]!;
    return (
      offsets[4 * index + 2] === nameEnd + 2 &&
      offsets[4 * index + 4] === offsets[4 * index + 3]! + 2 &&
      this.#text.charCodeAt(nameEnd + 1) === SPACE
    );
  }

  #isNamed(index: number, lowerName: string): boolean {
    const start = this.#offsets[4 * index]!;
    const { length } = lowerName;
    if (this.#offsets[4 * index + 1]! - start !== length) return false;
    for (let at = 0; at < length; at += 1) {
      const code = this.#text.charCodeAt(start + at);
      const lower = code >= 65 && code <= 90 ? code + 32 : code;
      if (lower !== lowerName.charCodeAt(at)) return false;
    }
    return true;
  }

  #findUnknown(lowerName: string, from: number): number {
    if (((this.#unknown >> (((lowerName.charCodeAt(lowerName.length - 1) | 32) + lowerName.length) & 31)) & 1) === 0) return -1;
    for (let index = this.#indexOf(UNKNOWN, from); index >= 0; index = this.#indexOf(UNKNOWN, index + 1)) {
      const isThere = index < this.#parsed ? this.#isNamed(index, lowerName) : this.#added[index - this.#parsed]!.isNamed(lowerName);
      if (isThere) return index;
    }
    return -1;
  }
}
