// One header of a message, immutable: HPACK's tables hold them, and many messages share one.
import { HEADER_NAMES } from "./header-id.ts";

export class HeaderField {
  /** HeaderId or UNKNOWN. */
  readonly id: number;
  readonly name: string;
  readonly value: string;
  /** Name or value hold bytes that RFC 9113 §8.2.1 forbids: whoever sends it breaks the protocol. */
  readonly isMalformed: boolean;
  /** The sender keeps it out of all compression tables, and so must whoever passes it on (RFC 7541 §7.1.3). */
  readonly isNeverIndexed: boolean;
  #line: string | undefined = undefined;
  #lowerName: string | undefined = undefined;

  constructor(id: number, name: string, value: string, isMalformed = false, isNeverIndexed = false) {
    this.id = id;
    this.name = name;
    this.value = value;
    this.isMalformed = isMalformed;
    this.isNeverIndexed = isNeverIndexed;
  }

  /** A header that has an id, under its lower-case name. */
  static known(id: number, value: string): HeaderField {
    return new HeaderField(id, HEADER_NAMES[id]!, value);
  }

  isNamed(lowerName: string): boolean {
    const { name } = this;
    return name.length === lowerName.length && (name === lowerName || this.lowerName === lowerName);
  }

  get lowerName(): string {
    return (this.#lowerName ??= this.name.toLowerCase());
  }

  /** `Name: value\r\n`, made once. */
  get line(): string {
    return (this.#line ??= `${this.name}: ${this.value}\r\n`);
  }
}

/** A header that many messages get with one value. It keeps the case of one that it takes the place of. */
export class ConstantHeader {
  readonly field: HeaderField;
  #renamed: HeaderField | undefined = undefined;

  constructor(id: number, name: string, value: string) {
    this.field = new HeaderField(id, name, value);
  }

  static known(id: number, value: string): ConstantHeader {
    return new ConstantHeader(id, HEADER_NAMES[id]!, value);
  }

  named(name: string): HeaderField {
    const { field } = this;
    if (name === field.name) return field;
    // Nearly always the same other spelling: `Server` for `server`.
    let renamed = this.#renamed;
    if (renamed?.name !== name) renamed = this.#renamed = new HeaderField(field.id, name, field.value);
    return renamed;
  }
}
