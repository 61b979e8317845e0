// What a load generator is: one run against one chain, and what came out of it as numbers.
import { spawn } from "node:child_process";
import { UserError } from "../../src/common/user-error.ts";
import { Core } from "../lab.ts";

/** What a run counts, as the report's headings name it. */
export interface Unit {
  /** One of it, upper case: CPU time is given per this. */
  readonly one: string;
  readonly perSecond: string;
}

export const REQUESTS: Unit = { one: "REQ", perSecond: "REQ/S" };
export const MEGABYTES: Unit = { one: "MB", perSecond: "MB/S" };

/** Latency percentiles of one run; undefined where the generator tells none. */
export interface Percentiles {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

export interface LoadResult {
  /** How many of the unit went through in the whole run. */
  readonly amount: number;
  readonly perSecond: number;
  readonly latency: Percentiles | undefined;
}

export interface Load {
  /** Tells apart the loads of one scenario, such as `download`; empty where there is one only. */
  readonly name: string;
  readonly unit: Unit;
  /**
   * @param seconds whole seconds, at least 1.
   * @throws UserError when anything but good answers came: such a run measures nothing.
   */
  run(port: number, connections: number, seconds: number, signal: AbortSignal): Promise<LoadResult>;
}

/** Runs a generator on the load core and resolves to what it printed. */
export function runPinned(command: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("taskset", ["-c", String(Core.load), ...command], { detached: true, stdio: ["ignore", "pipe", "pipe"], signal });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve(text) : reject(new UserError(`${command[0]} ended with exit code ${code}: ${text.trim()}`)),
    );
  });
}

/** The match of `pattern` in a generator's output. @throws UserError when it is not there. */
export function findIn(program: string, output: string, pattern: RegExp): RegExpExecArray {
  const match = pattern.exec(output);
  if (match === null) throw new UserError(`${program}'s output is not as expected (no ${pattern.source}): ${output.trim()}`);
  return match;
}

export function assertNoFailures(bad: string | undefined): void {
  if (bad !== undefined) throw new UserError(`a run had failures: ${bad}`, "a proxy that fails requests is not measured; see its log");
}

export function assertSome(amount: number): void {
  if (amount === 0) throw new UserError("a run completed no request", "the proxy accepts connections and does not answer");
}
