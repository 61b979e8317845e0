// Every counter, gauge and histogram of the proxy, as slots of one page of numbers. Whoever counts resolves a slot once,
// when configuration is applied, and then only touches the page; admin and scrapers read page and series.
import { HISTOGRAM_SLOTS, bucketIndex } from "./histogram-buckets.ts";

export type SeriesKind = "counter" | "gauge" | "histogram";

/** One named value. `name` is Envoy's dotted name, `promName` and `tags` what /stats/prometheus prints. */
export interface Series {
  readonly kind: SeriesKind;
  readonly name: string;
  readonly promName: string;
  readonly tags: readonly (readonly [string, string])[];
  /** First slot in the page; a histogram has HISTOGRAM_SLOTS of them, laid out as histogram-buckets.ts says. */
  readonly slot: number;
  /** Unit of a histogram's values. */
  readonly unit: "ms" | "bytes" | "none";
}

// 2^23 doubles: room for 2,000 Istio label sets and the histograms of 2,000 clusters. Pages of memory that nobody has
// written to cost nothing, so the space is reserved at once.
const PAGE_SLOTS = 1 << 23;

export class Counter {
  readonly #page: Float64Array;
  readonly #slot: number;

  constructor(page: Float64Array, slot: number) {
    this.#page = page;
    this.#slot = slot;
  }

  inc(): void {
    this.#page[this.#slot]! += 1;
  }

  add(amount: number): void {
    this.#page[this.#slot]! += amount;
  }

  get value(): number {
    return this.#page[this.#slot]!;
  }
}

export class Gauge {
  readonly #page: Float64Array;
  readonly #slot: number;

  constructor(page: Float64Array, slot: number) {
    this.#page = page;
    this.#slot = slot;
  }

  inc(): void {
    this.#page[this.#slot]! += 1;
  }

  dec(): void {
    this.#page[this.#slot]! -= 1;
  }

  set(value: number): void {
    this.#page[this.#slot] = value;
  }

  get value(): number {
    return this.#page[this.#slot]!;
  }
}

export class Histogram {
  readonly #page: Float64Array;
  readonly #slot: number;

  constructor(page: Float64Array, slot: number) {
    this.#page = page;
    this.#slot = slot;
  }

  /** Values are milliseconds or bytes; negative ones and NaN count as 0. */
  record(value: number): void {
    const page = this.#page;
    const slot = this.#slot;
    page[slot]! += 1;
    if (value > 0) page[slot + 1]! += value;
    page[slot + 2 + bucketIndex(value)]! += 1;
  }
}

/** A prefix under which series are made: `cluster.X.` in Envoy's names, `envoy_cluster_` and a tag in Prometheus'. */
export class StatsScope {
  readonly #store: StatsStore;
  readonly #prefix: string;
  readonly #promPrefix: string;
  readonly #tags: readonly (readonly [string, string])[];

  constructor(store: StatsStore, prefix: string, promPrefix: string, tags: readonly (readonly [string, string])[]) {
    this.#store = store;
    this.#prefix = prefix;
    this.#promPrefix = promPrefix;
    this.#tags = tags;
  }

  /**
   * @param name dotted, below the prefix: `upstream_rq_total`.
   * @param prom Prometheus name and extra tags where Envoy's tag extraction takes part of the name out:
   *   `upstream_rq_200` is `upstream_rq{envoy_response_code="200"}`.
   */
  counter(name: string, prom?: { name: string; tags: readonly (readonly [string, string])[] }): Counter {
    return this.#store.counter(...this.#named(name, prom));
  }

  gauge(name: string): Gauge {
    return this.#store.gauge(...this.#named(name, undefined));
  }

  histogram(name: string, unit: "ms" | "bytes"): Histogram {
    const [full, promName, tags] = this.#named(name, undefined);
    return this.#store.histogram(full, promName, tags, unit);
  }

  #named(name: string, prom: { name: string; tags: readonly (readonly [string, string])[] } | undefined) {
    const promName = this.#promPrefix + (prom?.name ?? name).replace(/[^a-zA-Z0-9_]/g, "_");
    const tags = prom === undefined ? this.#tags : [...prom.tags, ...this.#tags];
    return [this.#prefix + name, promName, tags] as const;
  }
}

type Tags = readonly (readonly [string, string])[];

export class StatsStore {
  readonly page: Float64Array;
  readonly #series = new Map<string, Series>();
  // The page starts with one slot that nobody reads and ends with as many as a histogram has: series that find no
  // room are counted there, and are not listed.
  #next = 1;
  #unlisted = 0;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(PAGE_SLOTS * 8)) {
    this.page = new Float64Array(buffer);
  }

  /** How many series found no room in the page; their values are lost. */
  get unlisted(): number {
    return this.#unlisted;
  }

  /** The same name always yields the same slot: counters outlive the configuration that asked for them. */
  counter(name: string, promName: string, tags: Tags): Counter {
    return new Counter(this.page, this.#slotOf("counter", name, promName, tags, 1, "none"));
  }

  gauge(name: string, promName: string, tags: Tags): Gauge {
    return new Gauge(this.page, this.#slotOf("gauge", name, promName, tags, 1, "none"));
  }

  histogram(name: string, promName: string, tags: Tags, unit: "ms" | "bytes"): Histogram {
    return new Histogram(this.page, this.#slotOf("histogram", name, promName, tags, HISTOGRAM_SLOTS, unit));
  }

  /** `scope("cluster.", "X", "envoy_cluster_", "envoy_cluster_name")`; `:` in a value becomes `_` in the dotted name, as Envoy writes it. */
  scope(kind: string, value: string, promPrefix: string, tag: string): StatsScope {
    return new StatsScope(this, `${kind}${value.replaceAll(":", "_")}.`, promPrefix, [[tag, value]]);
  }

  /** Series without a tag: `server.`, `cluster_manager.`, `listener_manager.`. */
  plainScope(prefix: string): StatsScope {
    return new StatsScope(this, `${prefix}.`, `envoy_${prefix.replace(/[^a-zA-Z0-9_]/g, "_")}_`, []);
  }

  /** Every series in order of creation. */
  series(): IterableIterator<Series> {
    return this.#series.values();
  }

  find(name: string): Series | undefined {
    return this.#series.get(name);
  }

  #slotOf(kind: SeriesKind, name: string, promName: string, tags: Tags, slots: number, unit: Series["unit"]): number {
    const known = this.#series.get(name);
    if (known !== undefined) {
      if (known.kind !== kind) throw new Error(`stats: ${name} is a ${known.kind}, not a ${kind}`);
      return known.slot;
    }
    const room = this.page.length - HISTOGRAM_SLOTS;
    if (this.#next + slots > room) {
      this.#unlisted++;
      return kind === "histogram" ? room : 0;
    }
    const slot = this.#next;
    this.#next += slots;
    this.#series.set(name, { kind, name, promName, tags, slot, unit });
    return slot;
  }
}
