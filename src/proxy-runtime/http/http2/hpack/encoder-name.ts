// A name that an encoder has met, with the values of it that are in a table: what makes a look-up cheap.
import { HEADER_NAMES, UNKNOWN } from "../../header-id.ts";
import { type Indexing, indexingOf } from "./indexing-policy.ts";
import { STATIC_FIELDS, STATIC_NAME_INDEX } from "./static-table.ts";

/** A value of a name in a table. */
export class IndexedValue {
  readonly owner: EncoderName;
  readonly value: string;
  /** How many entries the dynamic table had seen with this one; -index for one of the static table. */
  readonly number: number;
  readonly key: number;
  /** Neighbours in the same bucket. */
  newer: IndexedValue | undefined = undefined;
  older: IndexedValue | undefined = undefined;

  constructor(owner: EncoderName, value: string, number: number) {
    this.owner = owner;
    this.value = value;
    this.number = number;
    this.key = keyOf(value);
  }
}

/** Cheaper than a hash: values that differ mostly differ in this (the seconds of a date, the end of a path). */
export function keyOf(value: string): number {
  const { length } = value;
  if (length === 0) return 0;
  const other = value.charCodeAt(length < 5 ? 0 : length - 5);
  return (length << 24) | (value.charCodeAt(length - 1) << 16) | (other << 8) | value.charCodeAt(length >>> 1);
}

export class EncoderName {
  /** As the caller spells it. */
  readonly name: string;
  /** As it is sent. */
  readonly sentName: string;
  readonly indexing: Indexing;
  /** Lowest index in the static table, or 0. */
  readonly staticIndex: number;
  /** The last entry of the dynamic table with this name. */
  newest: IndexedValue | undefined = undefined;
  /** The entry that was asked for last. */
  last: IndexedValue | undefined = undefined;
  /** The name that came behind this one in the last block where it did. */
  follower: EncoderName | undefined = undefined;
  /** Seen before: a name without an index is worth an entry. */
  isKnown = false;
  /** Entries of the static table. */
  readonly staticValues: readonly IndexedValue[];

  constructor(id: number, name: string, keepsCase: boolean) {
    const own = flat(name);
    const lower = id === UNKNOWN ? own.toLowerCase() : HEADER_NAMES[id]!;
    this.name = own === lower ? lower : own;
    this.sentName = keepsCase ? this.name : lower;
    this.indexing = indexingOf(lower);
    this.staticIndex = STATIC_NAME_INDEX.get(this.sentName) ?? 0;
    const values: IndexedValue[] = [];
    for (let index = this.staticIndex; STATIC_FIELDS[index]?.name === this.sentName; index += 1) {
      values.push(new IndexedValue(this, STATIC_FIELDS[index]!.value, -index));
    }
    this.staticValues = values;
  }
}

/** A copy that holds on to no other text. */
export function flat(text: string): string {
  return Buffer.from(text, "latin1").latin1Slice();
}
