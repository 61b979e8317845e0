// Measures several chains against each other: short runs in turn, so that what else the machine does meanwhile falls on
// all alike, and the median of the rounds.
import type { Chain } from "./chain.ts";
import type { Lab } from "./lab.ts";
import { runWrk } from "./wrk.ts";

export interface Figures {
  readonly rps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Sum over the chain's processes, right after a run. */
  readonly rssAnonMb: number;
  /** User and system time of all the chain's processes; much less noisy than rps. */
  readonly cpuUsPerRequest: number;
}

/** V8 has compiled what is hot after some ten thousand requests. */
const WARM_UP_SECONDS = 2;

export interface Pace {
  readonly seconds: number;
  readonly rounds: number;
}

/** Resolves to figures by chain name. */
export async function measure(
  chains: readonly Chain[],
  connections: number,
  pace: Pace,
  lab: Lab,
  signal: AbortSignal,
): Promise<Map<string, Figures>> {
  const runs = new Map<string, Figures[]>(chains.map((chain) => [chain.name, []]));
  // Connections, pools and compiled code first reach the state in which they stay.
  for (const chain of chains) await runWrk(chain.port, connections, WARM_UP_SECONDS, signal);
  for (let round = 0; round < pace.rounds; round++) {
    // Every other round backwards: a machine that grows slower or faster meanwhile favours no one.
    for (const chain of round % 2 === 0 ? chains : chains.toReversed()) {
      runs.get(chain.name)!.push(await measureOnce(chain, connections, pace.seconds, signal));
      lab.assertAllRun();
    }
  }
  return new Map([...runs].map(([name, figures]) => [name, medianOf(figures)]));
}

async function measureOnce(chain: Chain, connections: number, seconds: number, signal: AbortSignal): Promise<Figures> {
  const cpu = (): number => sum(chain.processes.map((each) => each.cpuSeconds()));
  const before = cpu();
  const { requests, rps, p50Ms, p99Ms } = await runWrk(chain.port, connections, seconds, signal);
  return {
    rps,
    p50Ms,
    p99Ms,
    rssAnonMb: sum(chain.processes.map((each) => each.rssAnonMb())),
    cpuUsPerRequest: ((cpu() - before) / requests) * 1e6,
  };
}

function medianOf(figures: readonly Figures[]): Figures {
  const of = (pick: (each: Figures) => number): number => median(figures.map(pick));
  return {
    rps: of((each) => each.rps),
    p50Ms: of((each) => each.p50Ms),
    p99Ms: of((each) => each.p99Ms),
    rssAnonMb: of((each) => each.rssAnonMb),
    cpuUsPerRequest: of((each) => each.cpuUsPerRequest),
  };
}

/** Of an even number, the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
