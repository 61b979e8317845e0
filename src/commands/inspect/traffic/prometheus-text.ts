// Prometheus' text format → samples, and what happened between two scrapes.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Name and labels as they were written: the identity of the series. */
  readonly series: string;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? +(\S+)(?: +-?\d+)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Samples whose name passes; comments and lines that are no samples are left out. */
export function parseSamples(text: string, isWanted: (name: string) => boolean): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const match = LINE.exec(line);
    if (match === null || !isWanted(match[1]!)) continue;
    const labels: Record<string, string> = {};
    for (const [, key, value] of (match[2] ?? "").matchAll(LABEL)) labels[key!] = unescape(value!);
    samples.push({ name: match[1]!, labels, value: toNumber(match[3]!), series: `${match[1]}{${match[2] ?? ""}}` });
  }
  return samples;
}

function unescape(text: string): string {
  return text.includes("\\") ? text.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped)) : text;
}

function toNumber(text: string): number {
  if (/^[+-]?Inf$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return Number(text);
}

/** How much every counter has grown. A counter that fell was reset by a restart: all that it has is new. */
export function growth(before: readonly Sample[], after: readonly Sample[]): Sample[] {
  const earlier = new Map(before.map((sample) => [sample.series, sample.value]));
  return after.map((sample) => {
    const past = earlier.get(sample.series) ?? 0;
    return { ...sample, value: sample.value >= past ? sample.value - past : sample.value };
  });
}
