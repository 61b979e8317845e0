// Every counter, gauge and histogram of the proxy, as slots of one page of numbers. Whoever counts resolves a slot once,
// when configuration is applied, and then only touches the page; admin and scrapers read page and series.
import { HISTOGRAM_SLOTS, bucketIndex } from "./histogram-buckets.ts";
import { readHistogram, type HistogramCounts } from "./histogram-counts.ts";
import type { Across, Series, SeriesKind, StatsReader, Tags } from "./stats-reader.ts";

export interface PageSeries extends Series {
  /** First slot in the page; a histogram has HISTOGRAM_SLOTS of them, laid out as histogram-buckets.ts says. */
  readonly slot: number;
}

// 2^23 doubles: room for 2,000 Istio label sets and the histograms of 2,000 clusters. Pages of memory that nobody has
// written to cost nothing, so the space is reserved at once.
const PAGE_SLOTS = 1 << 23;

export function makeStatsPage(): SharedArrayBuffer {
  return new SharedArrayBuffer(PAGE_SLOTS * 8);
}

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
  readonly #tags: Tags;

  constructor(store: StatsStore, prefix: string, promPrefix: string, tags: Tags) {
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
  counter(name: string, prom?: { name: string; tags: Tags }, across: Across = "sum"): Counter {
    return this.#store.counter(...this.#named(name, prom), across);
  }

  gauge(name: string, across: Across = "sum"): Gauge {
    return this.#store.gauge(...this.#named(name, undefined), across);
  }

  histogram(name: string, unit: "ms" | "bytes"): Histogram {
    const [full, promName, tags] = this.#named(name, undefined);
    return this.#store.histogram(full, promName, tags, unit);
  }

  #named(name: string, prom: { name: string; tags: Tags } | undefined) {
    const promName = this.#promPrefix + (prom?.name ?? name).replace(/[^a-zA-Z0-9_]/g, "_");
    const tags = prom === undefined ? this.#tags : [...prom.tags, ...this.#tags];
    return [this.#prefix + name, promName, tags] as const;
  }
}

export class StatsStore implements StatsReader {
  readonly page: Float64Array;
  readonly #series = new Map<string, PageSeries>();
  readonly #onSeries: (series: PageSeries) => void;
  // The page starts with one slot that nobody reads and ends with as many as a histogram has: series that find no
  // room are counted there, and are not listed.
  #next = 1;
  #unlisted = 0;

  /** @param onSeries told of each series when it is made, for a reader in another thread. */
  constructor(buffer: SharedArrayBuffer = makeStatsPage(), onSeries: (series: PageSeries) => void = () => undefined) {
    this.page = new Float64Array(buffer);
    this.#onSeries = onSeries;
  }

  /** How many series found no room in the page; their values are lost. */
  get unlisted(): number {
    return this.#unlisted;
  }

  /** The same name always yields the same slot: counters outlive the configuration that asked for them. */
  counter(name: string, promName: string, tags: Tags, across: Across = "sum"): Counter {
    return new Counter(this.page, this.#slotOf({ kind: "counter", name, promName, tags, unit: "none", across }));
  }

  gauge(name: string, promName: string, tags: Tags, across: Across = "sum"): Gauge {
    return new Gauge(this.page, this.#slotOf({ kind: "gauge", name, promName, tags, unit: "none", across }));
  }

  histogram(name: string, promName: string, tags: Tags, unit: "ms" | "bytes"): Histogram {
    return new Histogram(this.page, this.#slotOf({ kind: "histogram", name, promName, tags, unit, across: "sum" }));
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
  series(): IterableIterator<PageSeries> {
    return this.#series.values();
  }

  find(name: string): PageSeries | undefined {
    return this.#series.get(name);
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  value({ name }: Series): number {
    return this.page[this.#series.get(name)!.slot]!;
  }

  readHistogram({ name }: Series): HistogramCounts {
    return readHistogram([{ page: this.page, slot: this.#series.get(name)!.slot }]);
  }

  resetCounters(): Promise<void> {
    for (const { kind, slot } of this.#series.values()) if (kind === "counter") this.page[slot] = 0;
    return Promise.resolve();
  }

  /** Takes over what a worker that has ended had counted; gauges told of things that ended with it. */
  absorb(page: Float64Array, all: Iterable<PageSeries>): void {
    for (const series of all) {
      if (series.kind === "gauge") continue;
      const to = this.#slotOf(series);
      for (let index = 0; index < slotsOf(series.kind); index++) {
        const [mine, theirs] = [this.page[to + index]!, page[series.slot + index]!];
        this.page[to + index] = series.across === "max" ? Math.max(mine, theirs) : mine + theirs;
      }
    }
  }

  #slotOf(series: Series): number {
    const { kind, name } = series;
    const known = this.#series.get(name);
    if (known !== undefined) {
      if (known.kind !== kind) throw new Error(`stats: ${name} is a ${known.kind}, not a ${kind}`);
      return known.slot;
    }
    const slots = slotsOf(kind);
    const room = this.page.length - HISTOGRAM_SLOTS;
    if (this.#next + slots > room) {
      this.#unlisted++;
      return kind === "histogram" ? room : 0;
    }
    const listed = { ...series, slot: this.#next };
    this.#next += slots;
    this.#series.set(name, listed);
    this.#onSeries(listed);
    return listed.slot;
  }
}

function slotsOf(kind: SeriesKind): number {
  return kind === "histogram" ? HISTOGRAM_SLOTS : 1;
}
