// What a run says: tables and bars for people, and the JSON that --json writes.
import type { Figures } from "./measure.ts";
import type { Bar } from "./scenarios/scenario.ts";

export interface Measurement {
  readonly scenario: string;
  readonly connections: number;
  readonly subject: Figures;
  readonly peers: ReadonlyMap<string, Figures>;
}

interface JsonFigures {
  readonly rps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssAnonMb: number;
}

export interface JsonMeasurement {
  readonly scenario: string;
  readonly connections: number;
  readonly subject: JsonFigures;
  readonly peers: Readonly<Record<string, JsonFigures>>;
  readonly ratio: Readonly<Record<string, number>>;
}

export function toJson({ scenario, connections, subject, peers }: Measurement): JsonMeasurement {
  const entries = [...peers];
  return {
    scenario,
    connections,
    subject: toJsonFigures(subject),
    peers: Object.fromEntries(entries.map(([name, figures]) => [name, toJsonFigures(figures)])),
    ratio: Object.fromEntries(entries.map(([name, figures]) => [name, round(subject.rps / figures.rps, 3)])),
  };
}

function toJsonFigures({ rps, p50Ms, p99Ms, rssAnonMb }: Figures): JsonFigures {
  return { rps: round(rps, 1), p50Ms: round(p50Ms, 3), p99Ms: round(p99Ms, 3), rssAnonMb: round(rssAnonMb, 1) };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

const HEADINGS = ["", "REQ/S", "P50 MS", "P99 MS", "ANON MB", "CPU US/REQ", "REQ/S RATIO", "CPU RATIO"];

/** The table of one measurement; ratios are meshctl to peer, so above 1 is faster (req/s) or dearer (CPU). */
export function renderTable(subjectName: string, { scenario, connections, subject, peers }: Measurement): string[] {
  const figures = (name: string, each: Figures): string[] => [
    name,
    each.rps.toFixed(0),
    each.p50Ms.toFixed(2),
    each.p99Ms.toFixed(2),
    each.rssAnonMb.toFixed(1),
    each.cpuUsPerRequest.toFixed(1),
  ];
  const rows = [
    HEADINGS,
    [...figures(subjectName, subject), "", ""],
    ...[...peers].map(([name, peer]) => [
      ...figures(name, peer),
      (subject.rps / peer.rps).toFixed(2),
      (subject.cpuUsPerRequest / peer.cpuUsPerRequest).toFixed(2),
    ]),
  ];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
  return [`${scenario}, ${connections} connections`, ...lines.map((line) => `  ${line}`)];
}

/** One line per bar: PASS or FAIL, and by how much. */
export function renderBars({ scenario, connections, subject, peers }: Measurement, bars: readonly Bar[]): string[] {
  return bars.flatMap(({ peer, atLeast }) => {
    const figures = peers.get(peer);
    if (figures === undefined) return [];
    const ratio = subject.rps / figures.rps;
    return [
      `  ${ratio >= atLeast ? "PASS" : "FAIL"}  ${scenario} at ${connections} connections: ${ratio.toFixed(2)} x ${peer}, at least ${atLeast} wanted`,
    ];
  });
}
