// What a scenario is: which chains run in it, under which load, and what must be reached against whom.
import type { Chain } from "../chain.ts";
import type { Lab } from "../lab.ts";
import type { Load } from "../load/load.ts";

interface Against {
  readonly peer: string;
  /** Only at these numbers of connections; at all where not given. */
  readonly at?: readonly number[];
}

export interface RatioBar extends Against {
  /** Subject's amount per second divided by the peer's. */
  readonly atLeast: number;
}

export interface LatencyBar extends Against {
  /** By how many milliseconds the subject's percentiles may lie above the peer's. */
  readonly atMostMore: { readonly p50Ms: number; readonly p99Ms: number };
}

export type Bar = RatioBar | LatencyBar;

export interface StartOptions {
  /** Folder for CPU profiles of meshctl. */
  readonly cpuprof: string | undefined;
  /** Without meshctl: the benchmark is checked with one peer against the others. */
  readonly peersOnly: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  readonly connections: readonly number[];
  readonly bars: readonly Bar[];
  /** Starts the origin and every chain and checks that they work; meshctl's comes first. */
  start(lab: Lab, options: StartOptions): Promise<Started>;
}

export interface Started {
  readonly chains: readonly Chain[];
  /** Each is measured by itself, at each number of connections. */
  readonly loads: readonly Load[];
}

export const SUBJECT = "meshctl";
