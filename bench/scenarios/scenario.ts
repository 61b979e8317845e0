// What a scenario is: which chains run in it, at which numbers of connections, and which ratios it must reach.
import type { Chain } from "../chain.ts";
import type { Lab } from "../lab.ts";

export interface Bar {
  readonly peer: string;
  /** Subject's requests per second divided by the peer's. */
  readonly atLeast: number;
}

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
  /** Starts the origin and every chain; meshctl's comes first. */
  start(lab: Lab, options: StartOptions): Promise<Chain[]>;
}

export const SUBJECT = "meshctl";
