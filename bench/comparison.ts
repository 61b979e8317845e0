// One scenario from start to verdict: every load at every number of connections, all chains in turn.
import { UserError } from "../src/common/user-error.ts";
import { countConnections } from "./chain.ts";
import type { Chain } from "./chain.ts";
import type { Lab } from "./lab.ts";
import { measure, warmUp } from "./measure.ts";
import type { Pace } from "./measure.ts";
import { judge, renderTable, renderVerdicts, toJson } from "./report.ts";
import type { JsonMeasurement, Measurement } from "./report.ts";
import { SUBJECT } from "./scenarios/scenario.ts";
import type { Scenario } from "./scenarios/scenario.ts";

export interface ComparisonOptions {
  readonly pace: Pace;
  /** Instead of the scenario's own. */
  readonly connections: readonly number[] | undefined;
  readonly cpuprof: string | undefined;
  /** meshctl, or a peer that plays its part. */
  readonly subjectName: string;
}

/** @param onMeasured gets each measurement as it is made, and the lines that show it. */
export async function compare(
  scenario: Scenario,
  { pace, connections, cpuprof, subjectName }: ComparisonOptions,
  lab: Lab,
  signal: AbortSignal,
  onMeasured: (json: JsonMeasurement, lines: readonly string[]) => void,
): Promise<void> {
  const isOurs = subjectName === SUBJECT;
  const started = await scenario.start(lab, { cpuprof, peersOnly: !isOurs });
  const chains = withSubject(started.chains, subjectName);
  for (const load of started.loads) {
    const counts = connections ?? scenario.connections;
    await warmUp(chains, load, Math.max(...counts), signal);
    for (const count of counts) {
      const figures = await measure(chains, load, count, pace, lab, signal);
      const subject = figures.get(subjectName)!;
      figures.delete(subjectName);
      const measurement: Measurement = {
        scenario: scenario.name,
        load: load.name,
        unit: load.unit,
        connections: count,
        subjectName,
        subject,
        peers: figures,
      };
      const bars = isOurs ? scenario.bars : [];
      const lines = [...renderTable(measurement), ...innerConnections(chains), ...renderVerdicts(judge(measurement, bars))];
      onMeasured(toJson(measurement, bars), lines);
    }
  }
}

/** How many connections carry a pair's requests, which shows who multiplexes. */
function innerConnections(chains: readonly Chain[]): string[] {
  const pairs = chains.filter((each) => each.innerPort !== undefined);
  if (pairs.length === 0) return [];
  return [`  between the two: ${pairs.map(({ name, innerPort }) => `${name} ${countConnections(innerPort!)}`).join(", ")} connections`];
}

/** A peer that plays the subject takes its place: first, and no longer among the peers. */
function withSubject(chains: readonly Chain[], subject: string): Chain[] {
  const found = chains.find((each) => each.name === subject);
  if (found === undefined)
    throw new UserError(`there is no proxy ${subject} in this scenario`, `known: ${chains.map((each) => each.name).join(", ")}`);
  return [found, ...chains.filter((each) => each !== found)];
}
