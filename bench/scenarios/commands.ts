// How long a person waits for a command that answers from the machine's own files: whole processes, start to end.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { UserError } from "../../src/common/user-error.ts";
import type { Verdict } from "../report.ts";

const RUNS = 9;
const DIST = resolve(import.meta.dirname, "../../dist");

interface TimedCommand {
  readonly args: readonly string[];
  /** Of the median. */
  readonly atMostMs: number;
}

const COMMANDS: readonly TimedCommand[] = [{ args: ["install", "--offline"], atMostMs: 500 }];

export async function commands(report: (verdict: Verdict) => void): Promise<void> {
  for (const { args, atMostMs } of COMMANDS) {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) times.push(await timeMs(args));
    const median = times.sort((a, b) => a - b)[RUNS >> 1] ?? Infinity;
    const text = `meshctl ${args.join(" ")}: ${median.toFixed(0)} ms, at most ${atMostMs} wanted`;
    report({ text, isReached: median <= atMostMs });
  }
}

async function timeMs(args: readonly string[]): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, [join(DIST, "main.js"), ...args], { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.resume();
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new UserError(`meshctl ${args.join(" ")} ended with ${code}`, "run it by hand to see why");
  return performance.now() - began;
}
