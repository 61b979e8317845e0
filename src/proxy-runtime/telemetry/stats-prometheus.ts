// The text of /stats/prometheus, as Envoy writes it: one group per metric name with its TYPE line and a blank line
// behind, braces even where there is no tag; counters, then gauges, then histograms. Format: Prometheus' text 0.0.4.
import { DEFAULT_BOUNDS } from "./histogram-buckets.ts";
import { countUpTo } from "./histogram-counts.ts";
import type { HistogramCounts } from "./histogram-counts.ts";
import { selectSeries } from "./stats-query.ts";
import type { StatsQuery } from "./stats-query.ts";
import type { Series, StatsReader } from "./stats-reader.ts";

export function renderPrometheus(reader: StatsReader, query: StatsQuery): string {
  const series = selectSeries(reader, query);
  let text = "";
  for (const kind of ["counter", "gauge", "histogram"] as const) {
    const groups = Map.groupBy(
      series.filter((each) => each.kind === kind),
      (each) => each.promName,
    );
    for (const name of [...groups.keys()].sort()) text += group(reader, name, kind, groups.get(name)!);
  }
  return text;
}

function group(reader: StatsReader, name: string, kind: Series["kind"], members: readonly Series[]): string {
  let text = `# TYPE ${name} ${kind}\n`;
  for (const series of members) {
    const tags = tagText(series.tags);
    text += kind === "histogram" ? histogramLines(name, tags, reader.readHistogram(series)) : `${name}{${tags}} ${reader.value(series)}\n`;
  }
  return `${text}\n`;
}

function histogramLines(name: string, tags: string, counts: HistogramCounts): string {
  const before = tags === "" ? "" : `${tags},`;
  let text = "";
  for (const bound of DEFAULT_BOUNDS) text += `${name}_bucket{${before}le="${bound}"} ${countUpTo(counts, bound)}\n`;
  text += `${name}_bucket{${before}le="+Inf"} ${counts.count}\n`;
  return `${text}${name}_sum{${tags}} ${counts.sum}\n${name}_count{${tags}} ${counts.count}\n`;
}

function tagText(tags: Series["tags"]): string {
  return tags.map(([name, value]) => `${name.replace(/[^a-zA-Z0-9_]/g, "_")}="${escapeValue(value)}"`).join(",");
}

function escapeValue(value: string): string {
  return /["\\\n]/.test(value) ? value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"') : value;
}
