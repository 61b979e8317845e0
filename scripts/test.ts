// `npm test`, `npm run test:fast` and `npm run test:abuse`: bundle, system packages, then type check, lint and every test
// file, and a last line that counts. test:fast leaves out what takes long: test/fuzz and test/integration. Full runs add them,
// and test/e2e (namespaces, iptables, TLS: Linux and mostly root), test/kubernetes (a real API server: skipped without
// KUBEBUILDER_ASSETS) and a part of test/abuse, one file at a time; test:abuse is that folder alone, as hard as it can.
import { globSync } from "node:fs";
import { availableParallelism, constants } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../src/common/user-error.ts";
import { buildBundle, ROOT, runScript } from "./run-script.ts";
import { ensureSystemPackages } from "./system-packages.ts";
import { runCheck } from "./test-runner/run-check.ts";
import type { FileResult } from "./test-runner/run-file.ts";
import { runFile } from "./test-runner/run-file.ts";
import { Tally } from "./test-runner/tally.ts";

const FAST_FILES = ["test/architecture.test.ts", "test/{unit,golden,conformance}/**/*.test.ts"];
const SLOW_FILES = ["test/{fuzz,integration}/**/*.test.ts"];
const E2E_FILES = ["test/e2e/**/*.test.ts"];
/** A real API server each, where there is one: KUBEBUILDER_ASSETS. */
const KUBERNETES_FILES = ["test/kubernetes/**/*.test.ts"];
const ABUSE_FILES = ["test/abuse/**/*.test.ts"];
const FAST_FILE_TIMEOUT_MS = 120_000;
/** Many run bin/meshctl dozens of times: on a machine with ten times as much to do, that takes minutes. */
const SLOW_FILE_TIMEOUT_MS = 300_000;
const FULL_ABUSE_FILE_TIMEOUT_MS = 1_200_000;

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** Looks only at files that have changed; a rule that knows types may miss what another file has changed for it. */
  readonly cache: readonly string[];
}

const CACHE = "node_modules/.cache";
const CHECKS: readonly Check[] = [
  { name: "tsc", command: ["tsc"], cache: ["--incremental", "--tsBuildInfoFile", `${CACHE}/tsc.tsbuildinfo`] },
  { name: "eslint", command: ["eslint", "."], cache: ["--cache", "--cache-location", `${CACHE}/eslint/`] },
  {
    name: "prettier",
    command: ["prettier", "--check", "--log-level", "warn", "."],
    cache: ["--cache", "--cache-location", `${CACHE}/prettier/all.json`],
  },
];

interface Job {
  readonly name: string;
  run(): Promise<FileResult>;
}

const USAGE = `Usage: npm test [-- PATTERN...]         everything
       npm run test:fast [-- PATTERN...]  type check, lint, unit and conformance tests
       npm run test:abuse [-- PATTERN...] test/abuse alone, in full
PATTERN is a part of a file's path; with one, only such files run, without type check and lint.`;

async function main(): Promise<number> {
  const options = { fast: { type: "boolean" }, abuse: { type: "boolean" }, help: { type: "boolean" } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const isAbuse = values.abuse === true;
  if (isAbuse) process.env["MESHCTL_ABUSE"] = "full";
  const isFull = values.fast !== true && !isAbuse;
  // Types stripped and code compiled once, not in each of the many processes.
  if (values.fast === true) process.env["NODE_COMPILE_CACHE"] ??= join(ROOT, CACHE, "node");
  const find = (globs: readonly string[]): string[] =>
    globSync(globs, { cwd: ROOT })
      .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
      .sort();
  const fast = isAbuse ? [] : find(FAST_FILES);
  const slow = isFull ? find(SLOW_FILES) : [];
  const e2e = isFull ? [...find(E2E_FILES), ...find(KUBERNETES_FILES)] : [];
  const abuse = isFull || isAbuse ? find(ABUSE_FILES) : [];
  if (fast.length + slow.length + e2e.length + abuse.length === 0)
    throw new UserError(`no test file matches ${positionals.join(" ")}`, "give a part of its path, such as http1");

  await ensureSystemPackages(isFull || isAbuse ? "test" : "test:fast");
  // The end-to-end and launcher tests run dist/, so it is built from what is tested.
  buildBundle();

  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort(128 + constants.signals[signal]));
  // `npm test | head`: nobody reads on, so end what runs instead of dying with it left behind.
  process.stdout.on("error", () => stop.abort(1));
  const fileJob = (file: string, timeoutMs: number): Job => ({ name: file, run: () => runFile(join(ROOT, file), timeoutMs, stop.signal) });
  const checks: Job[] =
    positionals.length > 0 || isAbuse
      ? []
      : CHECKS.map(({ name, command, cache }) => ({
          name,
          run: () => runCheck(ROOT, isFull ? command : [...command, ...cache], stop.signal),
        }));

  // What takes longest comes first, so that no place of the pool is idle at the end.
  const together = [
    ...checks,
    ...slow.map((file) => fileJob(file, SLOW_FILE_TIMEOUT_MS)),
    ...fast.map((file) => fileJob(file, FAST_FILE_TIMEOUT_MS)),
  ];
  const alone = [
    ...e2e.map((file) => fileJob(file, SLOW_FILE_TIMEOUT_MS)),
    ...abuse.map((file) => fileJob(file, isAbuse ? FULL_ABUSE_FILE_TIMEOUT_MS : SLOW_FILE_TIMEOUT_MS)),
  ];
  const tally = new Tally(together.length + alone.length);
  await runPool(together, Math.min(Math.max(2, availableParallelism()), 4), tally, stop.signal);
  await runPool(alone, 1, tally, stop.signal);
  tally.close(stop.signal.aborted);
  return stop.signal.aborted ? (stop.signal.reason as number) : tally.hasFailures ? 1 : 0;
}

async function runPool(jobs: readonly Job[], places: number, tally: Tally, signal: AbortSignal): Promise<void> {
  const pending = [...jobs];
  const work = async (): Promise<void> => {
    for (let job = pending.shift(); job !== undefined && !signal.aborted; job = pending.shift()) {
      const result = await job.run();
      // What an interrupt broke off has neither passed nor failed.
      if (!signal.aborted) tally.add(job.name, result);
    }
  };
  await Promise.all(Array.from({ length: places }, work));
}

await runScript("npm test", USAGE, main);
