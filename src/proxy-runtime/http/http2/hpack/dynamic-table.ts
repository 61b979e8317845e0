// A decoder's dynamic table (RFC 7541 §2.3.2): a ring of fields, newest first, bounded in bytes.
import type { HeaderField } from "../../header-field.ts";

/** RFC 7541 §4.1. */
export const ENTRY_OVERHEAD_BYTES = 32;
const FIRST_SLOTS = 16;

export class DynamicTable {
  #maxBytes: number;
  #bytes = 0;
  #count = 0;
  /** Slot of the newest entry. */
  #head = 0;
  // A power of two; grows with what is really used.
  #slots: (HeaderField | undefined)[] = new Array<HeaderField | undefined>(FIRST_SLOTS).fill(undefined);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The entry at a distance from the newest. */
  get(distance: number): HeaderField | undefined {
    return distance < this.#count ? this.#slots[(this.#head - distance) & (this.#slots.length - 1)] : undefined;
  }

  /** An entry larger than the table empties it and is no error (RFC 7541 §4.4). */
  insert(field: HeaderField): void {
    const size = field.name.length + field.value.length + ENTRY_OVERHEAD_BYTES;
    this.#evictDownTo(this.#maxBytes - size);
    if (size > this.#maxBytes) return;
    if (this.#count === this.#slots.length) this.#grow();
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#slots[this.#head] = field;
    this.#count += 1;
    this.#bytes += size;
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictDownTo(maxBytes);
  }

  #evictDownTo(bytes: number): void {
    while (this.#bytes > bytes && this.#count > 0) {
      const slot = (this.#head - this.#count + 1) & (this.#slots.length - 1);
      const oldest = this.#slots[slot]!;
      this.#slots[slot] = undefined;
      this.#bytes -= oldest.name.length + oldest.value.length + ENTRY_OVERHEAD_BYTES;
      this.#count -= 1;
    }
  }

  #grow(): void {
    const count = this.#count;
    const slots = new Array<HeaderField | undefined>(2 * count).fill(undefined);
    for (let distance = 0; distance < count; distance += 1) slots[count - 1 - distance] = this.get(distance);
    this.#slots = slots;
    this.#head = count - 1;
  }
}
