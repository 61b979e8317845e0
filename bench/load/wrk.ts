// wrk: HTTP/1.1 requests on keep-alive connections, the next one as soon as the answer is there.
import { REQUEST } from "../rules.ts";
import { assertNoFailures, assertSome, findIn, REQUESTS, runPinned } from "./load.ts";
import type { Load, LoadResult, Unit } from "./load.ts";

export interface WrkOptions {
  readonly name?: string;
  readonly path?: string;
  /** Lua script that makes the requests. */
  readonly script?: string;
  /** The unit, and how many of it one request carries; requests where not given. */
  readonly unit?: Unit;
  readonly perRequest?: number;
}

export function wrk({ name = "", path = REQUEST.path, script, unit = REQUESTS, perRequest = 1 }: WrkOptions = {}): Load {
  return {
    name,
    unit,
    async run(port, connections, seconds, signal) {
      const scripted = script === undefined ? [] : ["-s", script];
      const header = ["-H", `Host: ${REQUEST.host}`];
      const url = `http://127.0.0.1:${port}${path}`;
      const command = ["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", ...header, ...scripted, url];
      const { amount, perSecond, latency } = parseWrk(await runPinned(command, signal));
      return { amount: amount * perRequest, perSecond: perSecond * perRequest, latency };
    },
  };
}

/** @throws UserError when wrk counted anything but good answers. */
export function parseWrk(output: string): LoadResult {
  const find = (pattern: RegExp): RegExpExecArray => findIn("wrk", output, pattern);
  assertNoFailures(/^\s*(Non-2xx or 3xx responses: .*|Socket errors: .*)$/m.exec(output)?.[1]);
  const requests = Number(find(/(\d+) requests in /)[1]);
  assertSome(requests);
  return {
    amount: requests,
    perSecond: Number(find(/Requests\/sec:\s+([\d.]+)/)[1]),
    latency: {
      p50Ms: toMs(find(/^\s+50%\s+([\d.]+)(us|ms|s|m)\b/m)),
      p90Ms: toMs(find(/^\s+90%\s+([\d.]+)(us|ms|s|m)\b/m)),
      p99Ms: toMs(find(/^\s+99%\s+([\d.]+)(us|ms|s|m)\b/m)),
    },
  };
}

function toMs([, amount, unit]: RegExpExecArray): number {
  const factor = { us: 0.001, ms: 1, s: 1000, m: 60_000 }[unit as "us" | "ms" | "s" | "m"];
  return Number(amount) * factor;
}
