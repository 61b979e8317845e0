// What a caller of /stats wants to see: the query's parameters, as Envoy names them, and the series that they select.
import { RE2JS, RE2JSException } from "re2js";
import { failure, success } from "../../common/result.ts";
import type { Result } from "../../common/result.ts";
import type { Series, SeriesKind, StatsReader } from "./stats-reader.ts";

export type HistogramForm = "summary" | "cumulative" | "disjoint" | "detailed";

export interface StatsQuery {
  readonly format: "text" | "json" | "prometheus";
  /** Leaves out what was never counted. A gauge that is back at 0 counts as unused too. */
  readonly usedOnly: boolean;
  /** Any part of the dotted name may match. */
  readonly filter: RE2JS | undefined;
  readonly kinds: ReadonlySet<SeriesKind>;
  readonly histograms: HistogramForm;
}

const FORMATS = ["text", "json", "prometheus"] as const;
const HISTOGRAM_FORMS = ["cumulative", "disjoint", "detailed", "none", "summary"] as const;
const TYPES: Readonly<Record<string, readonly SeriesKind[]>> = {
  All: ["counter", "gauge", "histogram"],
  Counters: ["counter"],
  Gauges: ["gauge"],
  Histograms: ["histogram"],
  // There are none: every value is a number.
  TextReadouts: [],
};

/** Reads the query string of /stats; a problem's message is the body of the 400. */
export function parseStatsQuery(query: URLSearchParams): Result<StatsQuery> {
  const format = oneOf(FORMATS, query.get("format") ?? "text");
  if (format === undefined) return failure([{ path: "format", message: `usage: /stats?format=(${FORMATS.join("|")})\n\n` }]);
  const form = oneOf(HISTOGRAM_FORMS, query.get("histogram_buckets") ?? "none");
  if (form === undefined) {
    return failure([{ path: "histogram_buckets", message: `usage: /stats?histogram_buckets=(${HISTOGRAM_FORMS.join("|")})\n\n` }]);
  }
  const type = query.get("type") ?? "All";
  const kinds = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (kinds === undefined) return failure([{ path: "type", message: `usage: /stats?type=(${Object.keys(TYPES).join("|")})\n\n` }]);
  const histograms = form === "none" ? "summary" : form;
  const text = query.get("filter") ?? "";
  try {
    const filter = text === "" ? undefined : RE2JS.compile(text);
    return success({ format, usedOnly: query.has("usedonly"), filter, kinds: new Set(kinds), histograms });
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return failure([{ path: "filter", message: `Invalid re2 regex: ${error.message}\n` }]);
  }
}

function oneOf<T extends string>(allowed: readonly T[], value: string): T | undefined {
  return allowed.find((each) => each === value);
}

/** The selected series, sorted by dotted name. */
export function selectSeries(reader: StatsReader, { kinds, usedOnly, filter }: StatsQuery): Series[] {
  const selected: Series[] = [];
  for (const series of reader.series()) {
    if (!kinds.has(series.kind)) continue;
    if (usedOnly && reader.value(series) === 0) continue;
    if (filter !== undefined && !filter.matcher(series.name).find()) continue;
    selected.push(series);
  }
  return selected.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
