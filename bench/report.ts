// What a run says: tables and verdicts for people, and the JSON that --json writes.
import type { ProcessFigures } from "./measure.ts";
import { cpuUsOf } from "./measure.ts";
import type { Figures } from "./measure.ts";
import type { Unit } from "./load/load.ts";
import type { Bar } from "./scenarios/scenario.ts";

export interface Measurement {
  readonly scenario: string;
  /** Name of the load; empty where the scenario has only one. */
  readonly load: string;
  readonly unit: Unit;
  readonly connections: number;
  readonly subjectName: string;
  readonly subject: Figures;
  readonly peers: ReadonlyMap<string, Figures>;
}

/** Whether something was reached that meshctl promises. */
export interface Verdict {
  readonly text: string;
  readonly isReached: boolean;
}

type JsonFigures = Readonly<Record<string, unknown>>;

export interface JsonMeasurement {
  readonly scenario: string;
  readonly load: string;
  readonly unit: string;
  readonly connections: number;
  readonly subject: JsonFigures;
  readonly peers: Readonly<Record<string, JsonFigures>>;
  /** Subject's amount per second by the peer's. */
  readonly ratio: Readonly<Record<string, number>>;
  readonly verdicts: readonly Verdict[];
}

export function toJson(measurement: Measurement, bars: readonly Bar[]): JsonMeasurement {
  const { scenario, load, unit, connections, subject, peers } = measurement;
  const entries = [...peers];
  return {
    scenario,
    load,
    unit: unit.perSecond,
    connections,
    subject: toJsonFigures(subject),
    peers: Object.fromEntries(entries.map(([name, figures]) => [name, toJsonFigures(figures)])),
    ratio: Object.fromEntries(entries.map(([name, figures]) => [name, round(subject.perSecond / figures.perSecond, 3)])),
    verdicts: judge(measurement, bars),
  };
}

function toJsonFigures({ perSecond, latency, processes, coreShare }: Figures): JsonFigures {
  return {
    perSecond: round(perSecond, 1),
    ...(latency && { p50Ms: round(latency.p50Ms, 3), p90Ms: round(latency.p90Ms, 3), p99Ms: round(latency.p99Ms, 3) }),
    processes: processes.map(({ rssAnonMb, cpuUs }) => ({ rssAnonMb: round(rssAnonMb, 1), cpuUs: round(cpuUs, 2) })),
    coreShare: round(coreShare, 2),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** The table of one measurement; ratios are meshctl to peer, so above 1 is faster (amount per second) or dearer (CPU). */
export function renderTable(measurement: Measurement): string[] {
  const { unit, subjectName, subject, peers } = measurement;
  const headings = ["", unit.perSecond, "RATIO", "P50 MS", "P90 MS", "P99 MS", `CPU US/${unit.one}`, "RATIO", "OF CORE", "ANON MB"];
  const row = (name: string, each: Figures): string[] => {
    const cpu = cpuUsOf(each);
    const isPeer = each !== subject;
    return [
      name,
      each.perSecond.toFixed(0),
      isPeer ? ratioText(subject.perSecond, each.perSecond) : "",
      ...(each.latency === undefined ? ["-", "-", "-"] : [each.latency.p50Ms, each.latency.p90Ms, each.latency.p99Ms].map(msText)),
      parts(each.processes, ({ cpuUs }) => cpuUs),
      isPeer ? ratioText(cpuUsOf(subject), cpu) : "",
      each.processes.length === 0 ? "-" : `${(each.coreShare * 100).toFixed(0)} %`,
      parts(each.processes, ({ rssAnonMb }) => rssAnonMb),
    ];
  };
  const rows = [headings, row(subjectName, subject), ...[...peers].map(([name, peer]) => row(name, peer))];
  return [titleOf(measurement), ...align(rows)];
}

function titleOf({ scenario, load, connections }: Measurement): string {
  return `${scenario}${load === "" ? "" : ` ${load}`}, ${connections} connections`;
}

/** Both ends of a chain, one beside the other. */
function parts(processes: readonly ProcessFigures[], pick: (each: ProcessFigures) => number): string {
  const digits = processes.some((each) => pick(each) >= 1000) ? 0 : 1;
  return processes.length === 0 ? "-" : processes.map((each) => pick(each).toFixed(digits)).join(" + ");
}

function msText(ms: number): string {
  return ms.toFixed(2);
}

function ratioText(ours: number, theirs: number): string {
  return theirs === 0 || ours === 0 ? "-" : (ours / theirs).toFixed(2);
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const pad = (cell: string, column: number): string => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!));
  return rows.map((row) => `  ${row.map(pad).join("  ").trimEnd()}`);
}

/** What became of each bar that holds for this measurement. */
export function judge(measurement: Measurement, bars: readonly Bar[]): Verdict[] {
  const { connections, subject, peers } = measurement;
  const title = titleOf(measurement);
  return bars.flatMap((bar): Verdict[] => {
    const peer = peers.get(bar.peer);
    if (peer === undefined || (bar.at !== undefined && !bar.at.includes(connections))) return [];
    if ("atLeast" in bar) {
      const ratio = subject.perSecond / peer.perSecond;
      const text = `${title}: ${ratio.toFixed(2)} x ${bar.peer}, at least ${bar.atLeast} wanted`;
      return [{ text, isReached: ratio >= bar.atLeast }];
    }
    return (["p50Ms", "p99Ms"] as const).map((which) => {
      const more = subject.latency![which] - peer.latency![which];
      const text = `${title}: ${which.slice(0, 3)} ${more.toFixed(3)} ms above ${bar.peer}, at most ${bar.atMostMore[which]} wanted`;
      return { text, isReached: more <= bar.atMostMore[which] };
    });
  });
}

export function renderVerdicts(verdicts: readonly Verdict[]): string[] {
  return verdicts.map(({ text, isReached }) => `  ${isReached ? "PASS" : "FAIL"}  ${text}`);
}
