// `npm run bench`: meshctl and its peers under the same load, on the same core, in the same run.
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, constants, cpus } from "node:os";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildBundle, runScript } from "../scripts/run-script.ts";
import { ensureSystemPackages } from "../scripts/system-packages.ts";
import { UserError } from "../src/common/user-error.ts";
import { compare } from "./comparison.ts";
import { Lab } from "./lab.ts";
import type { JsonMeasurement, Verdict } from "./report.ts";
import { renderVerdicts } from "./report.ts";
import { bulk } from "./scenarios/bulk.ts";
import { commands } from "./scenarios/commands.ts";
import { grpc } from "./scenarios/grpc.ts";
import { handshake } from "./scenarios/handshake.ts";
import { hop } from "./scenarios/hop.ts";
import { latency } from "./scenarios/latency.ts";
import { memory } from "./scenarios/memory.ts";
import { mesh } from "./scenarios/mesh.ts";
import { SUBJECT } from "./scenarios/scenario.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { sync } from "./scenarios/sync.ts";
import { tcp } from "./scenarios/tcp.ts";

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const SCENARIOS: readonly Scenario[] = [hop, mesh, bulk, grpc, tcp, latency, handshake];
const MEMORY = "memory";
const COMMANDS = "commands";
const SYNC = "sync";
const NAMES = [...SCENARIOS.map((each) => each.name), MEMORY, COMMANDS, SYNC];

const USAGE = `Usage: npm run bench -- [options]
  --scenario LIST     only these: ${NAMES.join(", ")} (default: all)
  --connections LIST  only these numbers of connections, such as 8,32
  --seconds N         length of one run (default 2)
  --rounds N          runs of each proxy, in turn; the median counts (default 3)
  --json FILE         write the figures to FILE
  --cpuprof DIR       write CPU profiles of meshctl to DIR (slows it down: the ratios mean nothing then)
  --subject NAME      measure a peer in meshctl's place, to check the benchmark itself
  --bootstrap FILE    memory: the configuration of the idle sidecar
A FAIL is a figure that misses what meshctl promises; it does not change the exit code, a run that could not be made does.`;

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
  const pace = { seconds: positive("--seconds", values.seconds), rounds: positive("--rounds", values.rounds) };
  const connections = values.connections?.split(",").map((each) => positive("--connections", each));
  const chosen = new Set(values.scenario?.split(",") ?? NAMES);
  for (const each of chosen) if (!NAMES.includes(each)) throw new UserError(`there is no scenario ${each}`, `known: ${NAMES.join(", ")}`);

  await ensureSystemPackages("bench");
  buildBundle();
  if (values.cpuprof !== undefined) mkdirSync(values.cpuprof, { recursive: true });
  const cpuprof = values.cpuprof === undefined ? undefined : resolve(values.cpuprof);

  if (availableParallelism() < 2)
    console.log("one core only: load generator and proxies share it, so only the CPU ratios mean something\n");
  const measurements: JsonMeasurement[] = [];
  const limits: Verdict[] = [];
  const impossible: string[] = [];
  // One that can't be measured leaves the others their turn.
  const attempt = async (name: string, work: (lab: Lab, signal: AbortSignal) => Promise<void>): Promise<void> => {
    try {
      await withLab(work);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      impossible.push(name);
      console.log(`  NONE  ${name} could not be measured: ${error.message}\n        ${error.hint ?? ""}\n`);
    }
  };
  for (const scenario of SCENARIOS.filter((each) => chosen.has(each.name))) {
    await attempt(scenario.name, async (lab, signal) => {
      console.log(`${scenario.name}: ${scenario.summary}\n`);
      await compare(scenario, { pace, connections, cpuprof, subjectName: values.subject }, lab, signal, (json, lines) => {
        measurements.push(json);
        console.log([...lines, ""].join("\n"));
      });
    });
  }
  if (chosen.has(MEMORY)) {
    await attempt(MEMORY, async (lab, signal) => {
      console.log("memory: anonymous memory of a sidecar, what each one more on a node really costs\n");
      await memory({ lab, signal, bootstrapFile: values.bootstrap, loadSeconds: pace.seconds * pace.rounds }, (verdict) => {
        limits.push(verdict);
        console.log(renderVerdicts([verdict])[0]);
      });
      console.log("");
    });
  }
  if (chosen.has(COMMANDS)) {
    await attempt(COMMANDS, async () => {
      console.log("commands: whole processes, from start to end, the median of nine\n");
      await commands((verdict) => {
        limits.push(verdict);
        console.log(renderVerdicts([verdict])[0]);
      });
      console.log("");
    });
  }
  if (chosen.has(SYNC)) {
    await attempt(SYNC, async (lab, signal) => {
      console.log("sync: a new controller reads a big cluster and serves a sidecar\n");
      await sync(lab, signal, (verdict) => {
        limits.push(verdict);
        console.log(renderVerdicts([verdict])[0]);
      });
      console.log("");
    });
  }
  if (values.json !== undefined) {
    const machine = { node: process.version, cpu: cpus()[0]?.model, cores: availableParallelism() };
    mkdirSync(dirname(resolve(values.json)), { recursive: true });
    writeFileSync(values.json, `${JSON.stringify({ machine, pace, measurements, limits }, null, 2)}\n`);
  }
  const verdicts = [...measurements.flatMap((each) => each.verdicts), ...limits];
  // One scenario has just shown its own.
  if (chosen.size > 1) console.log(["All bars", ...renderVerdicts(verdicts), ...impossible.map((name) => `  NONE  ${name}`)].join("\n"));
  return impossible.length === 0 ? 0 : 1;
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

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new UserError(`${flag} ${text} is not a whole number above 0`, "see npm run bench -- --help");
  return value;
}

await runScript("npm run bench", USAGE, main);
