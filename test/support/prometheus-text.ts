// A strict reader of Prometheus' text format: throws on anything that Prometheus would refuse or misread, such as a
// series that occurs twice, a group that is torn apart, or buckets that fall.
import assert from "node:assert/strict";

export interface PrometheusSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusMetric {
  readonly type: string;
  readonly samples: readonly PrometheusSample[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} (NaN|[+-]Inf|[-+0-9.eE]+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

export function parsePrometheus(text: string): Map<string, PrometheusMetric> {
  assert.ok(text === "" || text.endsWith("\n"), "the text ends with a line feed");
  const metrics = new Map<string, { type: string; samples: PrometheusSample[] }>();
  const seen = new Set<string>();
  let current = { name: "", type: "", samples: [] as PrometheusSample[] };
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      assert.ok(!metrics.has(type[1]!), `metric ${type[1]} has one group`);
      current = { name: type[1]!, type: type[2]!, samples: [] };
      metrics.set(current.name, current);
      continue;
    }
    const match = SAMPLE.exec(line);
    assert.ok(match !== null, `not a sample: ${line}`);
    const [, name, labelText, value] = match;
    const base = current.type === "histogram" ? name!.replace(/_(bucket|sum|count)$/, "") : name;
    assert.equal(base, current.name, `${line} stands in the group of ${current.name}`);
    const key = line.slice(0, line.lastIndexOf(" "));
    assert.ok(!seen.has(key), `series occurs twice: ${key}`);
    seen.add(key);
    current.samples.push({ name: name!, labels: parseLabels(labelText!), value: Number(value!.replace("Inf", "Infinity")) });
  }
  for (const metric of metrics.values()) if (metric.type === "histogram") checkHistogram(metric.samples);
  return metrics;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex;
    const match = LABEL.exec(text);
    assert.ok(match !== null, `not labels: ${text.slice(at)}`);
    assert.ok(!Object.hasOwn(labels, match[1]!), `label ${match[1]} occurs twice in ${text}`);
    labels[match[1]!] = match[2]!.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
  }
  return labels;
}

function checkHistogram(samples: readonly PrometheusSample[]): void {
  const groups = Map.groupBy(samples, ({ labels }) => JSON.stringify({ ...labels, le: undefined }));
  for (const [key, group] of groups) {
    const buckets = group.filter(({ name }) => name.endsWith("_bucket"));
    const bounds = buckets.map(({ labels }) => Number(labels["le"]!.replace("+Inf", "Infinity")));
    assert.deepEqual(
      bounds,
      bounds.toSorted((a, b) => a - b),
      `bounds rise: ${key}`,
    );
    assert.equal(bounds.at(-1), Infinity, `the last bound is +Inf: ${key}`);
    buckets.forEach(({ value }, index) => assert.ok(index === 0 || value >= buckets[index - 1]!.value, `counts rise: ${key}`));
    const count = group.find(({ name }) => name.endsWith("_count"));
    assert.equal(count?.value, buckets.at(-1)!.value, `count is the +Inf bucket: ${key}`);
    assert.ok(
      group.some(({ name }) => name.endsWith("_sum")),
      `has a sum: ${key}`,
    );
  }
}

/** Value of a sample with these labels, summed over the others. */
export function sumOfSamples(page: string, metric: string, labels: Readonly<Record<string, string>>): number {
  const lines = page
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`) && Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`)));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
