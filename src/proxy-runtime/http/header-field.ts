// One header of a message, immutable: HPACK's tables hold them, and many messages share one.
import { HEADER_NAMES } from "./header-id.ts";

export class HeaderField {
  /** HeaderId or UNKNOWN. */
  readonly id: number;
  readonly name: string;
  readonly value: string;
  /** Name or value hold bytes that RFC 9113 §8.2.1 forbids: whoever sends it breaks the protocol. */
  readonly isMalformed: boolean;
  #line: string | undefined = undefined;

  constructor(id: number, name: string, value: string, isMalformed = false) {
    this.id = id;
    this.name = name;
    this.value = value;
    this.isMalformed = isMalformed;
  }

  /** A header that has an id, under its lower-case name. */
  static known(id: number, value: string): HeaderField {
    return new HeaderField(id, HEADER_NAMES[id]!, value);
  }

  /** `Name: value\r\n`, made once. */
  get line(): string {
    return (this.#line ??= `${this.name}: ${this.value}\r\n`);
  }
}
