// The headers of one message: flat, in order, in the sender's case. Edits happen in place; a removed entry keeps its
// place and has the id REMOVED, so nothing is copied.
import { HEADER_NAMES, REMOVED, UNKNOWN, headerIdOf } from "./header-id.ts";

export class HeaderList {
  /** name, value, name, value, … */
  readonly entries: string[];
  /** One id per pair: HeaderId, UNKNOWN or REMOVED. */
  readonly ids: number[];

  constructor(entries: string[] = [], ids: number[] = []) {
    this.entries = entries;
    this.ids = ids;
  }

  /** For tests and replies: ids are looked up. */
  static of(entries: readonly string[]): HeaderList {
    const ids: number[] = [];
    for (let index = 0; index < entries.length; index += 2) ids.push(headerIdOf(entries[index]!));
    return new HeaderList([...entries], ids);
  }

  /** First value of a known header. */
  get(id: number): string | undefined {
    const index = this.ids.indexOf(id);
    return index < 0 ? undefined : this.entries[2 * index + 1];
  }

  has(id: number): boolean {
    return this.ids.indexOf(id) >= 0;
  }

  /** All values of a header by lower-case name, joined with `,` as Envoy's matchers see them; undefined when absent. */
  getByName(name: string): string | undefined {
    const id = headerIdOf(name);
    let found: string | undefined;
    for (let index = 0; index < this.ids.length; index += 1) {
      const each = this.ids[index]!;
      if (each !== id) continue;
      if (id === UNKNOWN && !equalsIgnoreCase(this.entries[2 * index]!, name)) continue;
      const value = this.entries[2 * index + 1]!;
      found = found === undefined ? value : `${found},${value}`;
    }
    return found;
  }

  append(id: number, name: string, value: string): void {
    this.entries.push(name, value);
    this.ids.push(id);
  }

  /** Replaces the first entry of a known header and removes the others; appends where there is none. */
  set(id: number, value: string): void {
    const first = this.ids.indexOf(id);
    if (first < 0) {
      this.append(id, HEADER_NAMES[id]!, value);
      return;
    }
    this.entries[2 * first + 1] = value;
    for (let index = this.ids.indexOf(id, first + 1); index >= 0; index = this.ids.indexOf(id, index + 1)) this.ids[index] = REMOVED;
  }

  setByName(name: string, value: string): void {
    const id = headerIdOf(name);
    if (id !== UNKNOWN) return this.set(id, value);
    let replaced = false;
    for (let index = 0; index < this.ids.length; index += 1) {
      if (this.ids[index] !== UNKNOWN || !equalsIgnoreCase(this.entries[2 * index]!, name)) continue;
      if (replaced) this.ids[index] = REMOVED;
      else this.entries[2 * index + 1] = value;
      replaced = true;
    }
    if (!replaced) this.append(UNKNOWN, name, value);
  }

  remove(id: number): void {
    for (let index = this.ids.indexOf(id); index >= 0; index = this.ids.indexOf(id, index + 1)) this.ids[index] = REMOVED;
  }

  /** By lower-case name. */
  removeByName(name: string): void {
    const id = headerIdOf(name);
    if (id !== UNKNOWN) return this.remove(id);
    for (let index = 0; index < this.ids.length; index += 1) {
      if (this.ids[index] === UNKNOWN && equalsIgnoreCase(this.entries[2 * index]!, name)) this.ids[index] = REMOVED;
    }
  }

  /** Pairs that are still there, flat. */
  toFlat(): string[] {
    const flat: string[] = [];
    for (let index = 0; index < this.ids.length; index += 1) {
      if (this.ids[index] !== REMOVED) flat.push(this.entries[2 * index]!, this.entries[2 * index + 1]!);
    }
    return flat;
  }

  clone(): HeaderList {
    return new HeaderList(this.entries.slice(), this.ids.slice());
  }
}

export function equalsIgnoreCase(left: string, lowerRight: string): boolean {
  return left.length === lowerRight.length && (left === lowerRight || left.toLowerCase() === lowerRight);
}
