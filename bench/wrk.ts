// One run of wrk, pinned to the load core, and what it printed as numbers.
import { spawn } from "node:child_process";
import { UserError } from "../src/common/user-error.ts";
import { Core } from "./lab.ts";
import { REQUEST } from "./rules.ts";

export interface LoadResult {
  readonly requests: number;
  readonly rps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** @param seconds whole seconds, at least 1. */
export async function runWrk(port: number, connections: number, seconds: number, signal: AbortSignal): Promise<LoadResult> {
  const url = `http://127.0.0.1:${port}${REQUEST.path}`;
  const args = [
    "-c",
    String(Core.load),
    "wrk",
    "-t1",
    `-c${connections}`,
    `-d${seconds}s`,
    "--latency",
    "-H",
    `Host: ${REQUEST.host}`,
    url,
  ];
  const output = await new Promise<string>((resolve, reject) => {
    const child = spawn("taskset", args, { detached: true, stdio: ["ignore", "pipe", "pipe"], signal });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve(text) : reject(new UserError(`wrk ended with exit code ${code}: ${text.trim()}`))));
  });
  return parseWrk(output);
}

/** @throws UserError when wrk counted anything but good answers: such a run measures nothing. */
export function parseWrk(output: string): LoadResult {
  const find = (pattern: RegExp): RegExpExecArray => {
    const match = pattern.exec(output);
    if (match === null) throw new UserError(`wrk's output is not as expected (no ${pattern.source}): ${output.trim()}`);
    return match;
  };
  const bad = /^\s*(Non-2xx or 3xx responses: .*|Socket errors: .*)$/m.exec(output);
  if (bad !== null) throw new UserError(`a run had failures: ${bad[1]}`, "a proxy that fails requests is not measured; see its log");
  const requests = Number(find(/(\d+) requests in /)[1]);
  if (requests === 0) throw new UserError("a run completed no request", "the proxy accepts connections and does not answer");
  return {
    requests,
    rps: Number(find(/Requests\/sec:\s+([\d.]+)/)[1]),
    p50Ms: toMs(find(/^\s+50%\s+([\d.]+)(us|ms|s|m)\b/m)),
    p99Ms: toMs(find(/^\s+99%\s+([\d.]+)(us|ms|s|m)\b/m)),
  };
}

function toMs([, amount, unit]: RegExpExecArray): number {
  const factor = { us: 0.001, ms: 1, s: 1000, m: 60_000 }[unit as "us" | "ms" | "s" | "m"];
  return Number(amount) * factor;
}
