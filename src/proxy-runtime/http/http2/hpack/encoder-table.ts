// An encoder's view of the dynamic table: which values are in it, in order of insertion, and which names were met.
import { HEADER_NAMES, UNKNOWN } from "../../header-id.ts";
import { ENTRY_OVERHEAD_BYTES } from "./dynamic-table.ts";
import { EncoderName, IndexedValue, flat, keyOf } from "./encoder-name.ts";
import { Indexing } from "./indexing-policy.ts";
import { STATIC_COUNT } from "./static-table.ts";

// Names without an entry are forgotten when there are this many more.
const SPARE_NAMES = 256;
const BUCKET_BITS = 6;

export class EncoderTable {
  #maxBytes: number;
  #bytes = 0;
  /** Entries that were ever inserted, and evicted. */
  #inserted = 0;
  #evicted = 0;
  /** By insertion number modulo length, a power of two. */
  #entries: (IndexedValue | undefined)[] = new Array<IndexedValue | undefined>(16).fill(undefined);
  /** The same entries by hash, each bucket from the newest on. */
  readonly #buckets = new Array<IndexedValue | undefined>(1 << BUCKET_BITS).fill(undefined);
  readonly #keepsCase: boolean;
  readonly #names = new Map<string, EncoderName>();
  /** The last spelling that came with an id. */
  readonly #byId: (EncoderName | undefined)[] = new Array<EncoderName | undefined>(HEADER_NAMES.length).fill(undefined);
  #maxNames = SPARE_NAMES;
  /** Goes before a block's first field. */
  readonly #start: EncoderName;
  #previous: EncoderName;

  constructor(maxBytes: number, keepsCase: boolean) {
    this.#maxBytes = maxBytes;
    this.#keepsCase = keepsCase;
    this.#start = this.#previous = new EncoderName(UNKNOWN, "", keepsCase);
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  startBlock(): void {
    this.#previous = this.#start;
  }

  /** What is known of a name. Most blocks have the same names in the same order, so the last one's successor is tried first. */
  nameOf(id: number, name: string): EncoderName {
    if (id !== UNKNOWN && !this.#keepsCase) {
      const known = this.#byId[id];
      if (known !== undefined) return (this.#previous = known);
    }
    const guess = this.#previous.follower;
    if (guess !== undefined && guess.name === name) return (this.#previous = guess);
    const found = this.#lookUp(id, name);
    this.#previous.follower = found;
    return (this.#previous = found);
  }

  #lookUp(id: number, name: string): EncoderName {
    const spelt = this.#byId[id];
    if (spelt !== undefined && spelt.name === name) return spelt;
    let found = this.#names.get(name);
    if (found === undefined) {
      if (this.#names.size >= this.#maxNames) this.#forgetNames();
      found = new EncoderName(id, name, this.#keepsCase);
      this.#names.set(found.name, found);
    }
    if (id !== UNKNOWN) this.#byId[id] = found;
    return found;
  }

  /** The entry with a name and value, in either table. */
  find(name: EncoderName, value: string): IndexedValue | undefined {
    const key = keyOf(value);
    for (const entry of name.staticValues) if (entry.key === key && entry.value === value) return (name.last = entry);
    for (let entry = this.#buckets[bucketOf(key)]; entry !== undefined; entry = entry.older) {
      if (entry.key === key && entry.owner === name && entry.value === value) return (name.last = entry);
    }
    return undefined;
  }

  /** Index by which the peer knows an entry (RFC 7541 §2.3.3). */
  indexOf(entry: IndexedValue): number {
    return entry.number < 0 ? -entry.number : STATIC_COUNT + 1 + this.#inserted - entry.number;
  }

  /** Index of an entry with this name, or 0. */
  nameIndexOf(name: EncoderName): number {
    if (name.staticIndex !== 0) return name.staticIndex;
    return name.newest === undefined ? 0 : this.indexOf(name.newest);
  }

  /** Whether an entry leaves room for enough others. */
  isWorthIt(name: EncoderName, value: string): boolean {
    return name.sentName.length + value.length + ENTRY_OVERHEAD_BYTES <= this.#maxBytes >>> 2;
  }

  insert(name: EncoderName, value: string): void {
    const size = name.sentName.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#evictDownTo(this.#maxBytes - size);
    if (this.#inserted - this.#evicted === this.#entries.length) this.#grow();
    this.#inserted += 1;
    const entry = new IndexedValue(name, flat(value), this.#inserted);
    this.#entries[this.#inserted & (this.#entries.length - 1)] = entry;
    this.#bytes += size;
    name.newest = entry;
    if (name.indexing !== Indexing.literal) name.last = entry;
    const bucket = bucketOf(entry.key);
    const older = this.#buckets[bucket];
    if (older !== undefined) older.newer = entry;
    entry.older = older;
    this.#buckets[bucket] = entry;
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictDownTo(maxBytes);
  }

  #evictDownTo(bytes: number): void {
    while (this.#bytes > bytes) {
      this.#evicted += 1;
      const slot = this.#evicted & (this.#entries.length - 1);
      const oldest = this.#entries[slot]!;
      this.#entries[slot] = undefined;
      this.#bytes -= oldest.owner.sentName.length + oldest.value.length + ENTRY_OVERHEAD_BYTES;
      const { owner, newer } = oldest;
      if (newer === undefined) this.#buckets[bucketOf(oldest.key)] = undefined;
      else newer.older = undefined;
      if (owner.newest === oldest) owner.newest = undefined;
      if (owner.last === oldest) owner.last = undefined;
    }
  }

  #grow(): void {
    const entries = new Array<IndexedValue | undefined>(2 * this.#entries.length).fill(undefined);
    for (const entry of this.#entries) entries[entry!.number & (entries.length - 1)] = entry;
    this.#entries = entries;
  }

  #forgetNames(): void {
    for (const [key, name] of this.#names) {
      if (name.newest === undefined) this.#names.delete(key);
      // Through these the forgotten could live on.
      name.follower = undefined;
    }
    this.#start.follower = undefined;
    this.#byId.fill(undefined);
    this.#maxNames = 2 * this.#names.size + SPARE_NAMES;
  }
}

// Knuth's multiplicative hash: all of the key's bits move the upper ones.
function bucketOf(key: number): number {
  return Math.imul(key, 0x9e3779b1) >>> (32 - BUCKET_BITS);
}
