// `npm run bench`: meshctl and its peers under the same load, on the same core, in the same run.
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, constants } from "node:os";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildBundle, runScript } from "../scripts/run-script.ts";
import { ensureSystemPackages } from "../scripts/system-packages.ts";
import { UserError } from "../src/common/user-error.ts";
import type { Chain } from "./chain.ts";
import { Lab } from "./lab.ts";
import { measure } from "./measure.ts";
import type { Figures, Pace } from "./measure.ts";
import type { Measurement } from "./report.ts";
import { renderBars, renderTable, toJson } from "./report.ts";
import { hop } from "./scenarios/hop.ts";
import { memory } from "./scenarios/memory.ts";
import { mesh } from "./scenarios/mesh.ts";
import { SUBJECT } from "./scenarios/scenario.ts";
import type { Scenario } from "./scenarios/scenario.ts";

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const SCENARIOS: readonly Scenario[] = [hop, mesh];

const USAGE = `Usage: npm run bench -- [options]
  --scenario NAME     only this one: ${[...SCENARIOS.map((each) => each.name), "memory"].join(", ")} (default: hop and mesh)
  --connections LIST  only these numbers of connections, such as 8,32
  --seconds N         length of one run (default 2)
  --rounds N          runs of each proxy, in turn; the median counts (default 3)
  --json FILE         write the figures to FILE
  --cpuprof DIR       write CPU profiles of meshctl to DIR (slows it down: the ratios mean nothing then)
  --subject NAME      measure a peer in meshctl's place, to check the benchmark itself
  --bootstrap FILE    memory: the configuration to start with
A FAIL is a ratio below what meshctl promises; it does not change the exit code, a run that could not be made does.`;

const OPTIONS = {
  scenario: { type: "string" },
  connections: { type: "string" },
  seconds: { type: "string", default: "2" },
  rounds: { type: "string", default: "3" },
  json: { type: "string" },
  cpuprof: { type: "string" },
  subject: { type: "string", default: SUBJECT },
  bootstrap: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const pace: Pace = { seconds: positive("--seconds", values.seconds), rounds: positive("--rounds", values.rounds) };
  const connections = values.connections?.split(",").map((each) => positive("--connections", each));
  const chosen = values.scenario === undefined ? SCENARIOS : SCENARIOS.filter((each) => each.name === values.scenario);
  const isMemory = values.scenario === "memory";
  if (chosen.length === 0 && !isMemory)
    throw new UserError(
      `there is no scenario ${values.scenario}`,
      `known: ${[...SCENARIOS.map((each) => each.name), "memory"].join(", ")}`,
    );

  await ensureSystemPackages("bench");
  buildBundle();
  if (values.cpuprof !== undefined) mkdirSync(values.cpuprof, { recursive: true });
  const cpuprof = values.cpuprof === undefined ? undefined : resolve(values.cpuprof);

  if (availableParallelism() < 2)
    console.log("one core only: load generator and proxies share it, so only the CPU ratios mean something\n");
  if (isMemory) {
    await withLab(async (lab) => memory(lab, values.bootstrap));
    return 0;
  }
  const all: Measurement[] = [];
  for (const scenario of chosen) {
    await withLab(async (lab, signal) => {
      console.log(`${scenario.name}: ${scenario.summary}\n`);
      const chains = withSubject(await scenario.start(lab, { cpuprof, peersOnly: values.subject !== SUBJECT }), values.subject);
      for (const count of connections ?? scenario.connections) {
        const measurement = toMeasurement(scenario.name, count, values.subject, await measure(chains, count, pace, lab, signal));
        all.push(measurement);
        console.log(
          [
            ...renderTable(values.subject, measurement),
            ...(values.subject === SUBJECT ? renderBars(measurement, scenario.bars) : []),
            "",
          ].join("\n"),
        );
      }
    });
  }
  if (values.json !== undefined) {
    mkdirSync(dirname(resolve(values.json)), { recursive: true });
    writeFileSync(values.json, `${JSON.stringify(all.map(toJson), null, 2)}\n`);
  }
  return 0;
}

/** Ends and removes everything that `work` started, whether it succeeds, fails or is interrupted. */
async function withLab(work: (lab: Lab, signal: AbortSignal) => Promise<void>): Promise<void> {
  const lab = new Lab();
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    stop.abort();
    void lab.close().then(() => process.exit(128 + constants.signals[signal]));
  };
  for (const each of STOP_SIGNALS) process.once(each, onSignal);
  try {
    await work(lab, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    await lab.close();
    for (const each of STOP_SIGNALS) process.off(each, onSignal);
  }
}

/** A peer that plays the subject takes its place: first, and no longer among the peers. */
function withSubject(chains: readonly Chain[], subject: string): Chain[] {
  const found = chains.find((each) => each.name === subject);
  if (found === undefined)
    throw new UserError(`there is no proxy ${subject} in this scenario`, `known: ${chains.map((each) => each.name).join(", ")}`);
  return [found, ...chains.filter((each) => each !== found)];
}

function toMeasurement(scenario: string, connections: number, subject: string, figures: Map<string, Figures>): Measurement {
  const peers = new Map(figures);
  peers.delete(subject);
  return { scenario, connections, subject: figures.get(subject)!, peers };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new UserError(`${flag} ${text} is not a whole number above 0`, "see npm run bench -- --help");
  return value;
}

await runScript("npm run bench", USAGE, main);
