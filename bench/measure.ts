// Measures several chains against each other: short runs in turn, so that what else the machine does meanwhile falls on
// all alike, and the median of the rounds.
import type { Chain } from "./chain.ts";
import type { Lab } from "./lab.ts";
import type { Load, Percentiles } from "./load/load.ts";

/** One process of a chain. */
export interface ProcessFigures {
  /** Right after a run. */
  readonly rssAnonMb: number;
  /** User and system time by amount; much less noisy than the amount per second. */
  readonly cpuUs: number;
}

export interface Figures {
  readonly perSecond: number;
  readonly latency: Percentiles | undefined;
  /** In the order in which a request passes them; none where there is no proxy. */
  readonly processes: readonly ProcessFigures[];
  /** Which part of the run the processes were computing; 1 is their whole core. Below 0.9 they were not what limited it. */
  readonly coreShare: number;
}

// V8 has compiled what is hot after some ten thousand requests, on the core that serves them. At a steady rate they take long.
const WARM_UP_AMOUNT = 50_000;
const WARM_UP_SECONDS = 2;
const MAX_WARM_UP_SECONDS = 10;
/** So that connections and pools are those of the measurement. */
const SETTLE_SECONDS = 1;

export interface Pace {
  readonly seconds: number;
  readonly rounds: number;
}

/** Resolves to figures by chain name. */
export async function measure(
  chains: readonly Chain[],
  load: Load,
  connections: number,
  pace: Pace,
  lab: Lab,
  signal: AbortSignal,
): Promise<Map<string, Figures>> {
  const runs = new Map<string, Figures[]>(chains.map((chain) => [chain.name, []]));
  for (const chain of chains) await load.run(chain.port, connections, SETTLE_SECONDS, signal);
  for (let round = 0; round < pace.rounds; round++) {
    // Every other round backwards: a machine that grows slower or faster meanwhile favours no one.
    for (const chain of round % 2 === 0 ? chains : chains.toReversed()) {
      runs.get(chain.name)!.push(await measureOnce(chain, load, connections, pace.seconds, signal));
      lab.assertAllRun();
    }
  }
  return new Map([...runs].map(([name, figures]) => [name, medianOf(figures)]));
}

/** Connections, pools and compiled code first reach the state in which they stay. */
export async function warmUp(chains: readonly Chain[], load: Load, connections: number, signal: AbortSignal): Promise<void> {
  for (const chain of chains) {
    let amount = 0;
    for (let seconds = 0; seconds < MAX_WARM_UP_SECONDS && amount < WARM_UP_AMOUNT; seconds += WARM_UP_SECONDS) {
      amount += (await load.run(chain.port, connections, WARM_UP_SECONDS, signal)).amount;
    }
  }
}

async function measureOnce(chain: Chain, load: Load, connections: number, seconds: number, signal: AbortSignal): Promise<Figures> {
  const cpuSeconds = (): number[] => chain.processes.map((each) => each.cpuSeconds());
  const startedAt = performance.now();
  const before = cpuSeconds();
  const { amount, perSecond, latency } = await load.run(chain.port, connections, seconds, signal);
  const used = cpuSeconds().map((each, index) => each - before[index]!);
  return {
    perSecond,
    latency,
    processes: chain.processes.map((each, index) => ({ rssAnonMb: each.rssAnonMb(), cpuUs: (used[index]! / amount) * 1e6 })),
    coreShare: (sum(used) * 1000) / (performance.now() - startedAt),
  };
}

function medianOf(figures: readonly Figures[]): Figures {
  const of = (pick: (each: Figures) => number): number => median(figures.map(pick));
  const [first] = figures;
  return {
    perSecond: of((each) => each.perSecond),
    latency: first?.latency && {
      p50Ms: of((each) => each.latency!.p50Ms),
      p90Ms: of((each) => each.latency!.p90Ms),
      p99Ms: of((each) => each.latency!.p99Ms),
    },
    processes: (first?.processes ?? []).map((_, index) => ({
      rssAnonMb: of((each) => each.processes[index]!.rssAnonMb),
      cpuUs: of((each) => each.processes[index]!.cpuUs),
    })),
    coreShare: of((each) => each.coreShare),
  };
}

/** Of an even number, the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** All processes of a chain together. */
export function cpuUsOf({ processes }: Figures): number {
  return sum(processes.map((each) => each.cpuUs));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
