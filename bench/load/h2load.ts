// h2load: HTTP/2 requests on several streams at once, as fast as they are answered; or HTTP/1.1 requests at a steady rate,
// whether or not earlier ones are answered, whose latencies come from its log of single requests.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/common/user-error.ts";
import { REQUEST } from "../rules.ts";
import { assertNoFailures, assertSome, findIn, REQUESTS, runPinned } from "./load.ts";
import type { Load, LoadResult, Percentiles } from "./load.ts";

export interface StreamsOptions {
  readonly streamsPerConnection: number;
  readonly path: string;
  /** Sent as the body of a POST. */
  readonly bodyFile: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Every connection has all its streams busy at any time. Without percentiles: a log of every request would cost the core. */
export function h2loadStreams({ streamsPerConnection, path, bodyFile, headers }: StreamsOptions): Load {
  return {
    name: "",
    unit: REQUESTS,
    async run(port, connections, seconds, signal) {
      const fields = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
      const mode = [`-m${streamsPerConnection}`, "-d", bodyFile, ...fields];
      const output = await runPinned(command(connections, seconds, mode, `http://127.0.0.1:${port}${path}`), signal);
      return { ...parseH2load(output), latency: undefined };
    },
  };
}

/** HTTP/1.1 at one rate, which is shared out to the connections. */
export function h2loadSteady(requestsPerSecond: number, logFolder: string): Load {
  return {
    name: "",
    unit: REQUESTS,
    async run(port, connections, seconds, signal) {
      const logFile = join(logFolder, "h2load.log");
      rmSync(logFile, { force: true });
      const mode = ["--h1", `--rps=${requestsPerSecond / connections}`, `--log-file=${logFile}`];
      const output = await runPinned(command(connections, seconds, mode, `http://127.0.0.1:${port}${REQUEST.path}`), signal);
      return { ...parseH2load(output), latency: parseLog(readFileSync(logFile, "latin1")) };
    },
  };
}

function command(connections: number, seconds: number, mode: readonly string[], url: string): string[] {
  return ["h2load", "-t1", `-c${connections}`, `-D${seconds}`, "-H", `:authority: ${REQUEST.host}`, ...mode, url];
}

/** @throws UserError when h2load counted anything but good answers. */
export function parseH2load(output: string): Pick<LoadResult, "amount" | "perSecond"> {
  const find = (pattern: RegExp): RegExpExecArray => findIn("h2load", output, pattern);
  const [, done, failed, errored, timedOut] = find(
    /requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/,
  );
  const [line, , redirected, refused, broken] = find(/status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/);
  const bad = [failed, errored, timedOut, redirected, refused, broken].some((count) => count !== "0");
  assertNoFailures(bad ? `${failed} failed, ${errored} errored, ${timedOut} timed out; ${line}` : undefined);
  assertSome(Number(done));
  return { amount: Number(done), perSecond: Number(find(/finished in [\d.]+\w+, ([\d.]+) req\/s/)[1]) };
}

/** Percentiles of the log's third column, microseconds from a request's start to its end. */
export function parseLog(log: string): Percentiles {
  const times = log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Number(line.split("\t")[2]))
    .sort((a, b) => a - b);
  if (times.length === 0 || times.some(Number.isNaN)) throw new UserError("h2load's log is not as expected: three columns and more");
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))]! / 1000;
  return { p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99) };
}
