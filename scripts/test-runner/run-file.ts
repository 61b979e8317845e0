// Runs one test file as a process of its own, within a time limit, and tells what became of its tests. A file that does
// not parse, ends early, hangs or has no tests is a failure with a reason; what it leaves running is ended.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endLeftovers, MARK } from "./leftovers.ts";

export interface FailedTest {
  /** The test's title, or nothing when the file itself failed. */
  readonly title: string | undefined;
  readonly line: number | undefined;
  readonly reason: string;
}

export interface FileResult {
  readonly passed: number;
  readonly skipped: number;
  readonly failures: readonly FailedTest[];
  readonly durationMs: number;
}

type TestEvent =
  | { readonly kind: "start" | "pass" | "skip"; readonly name: string }
  | { readonly kind: "fail"; readonly name: string; readonly line: number | undefined; readonly error: string }
  | { readonly kind: "end" };

const REPORTER = join(import.meta.dirname, "event-reporter.mjs");
/** Between asking a test process to end and making it: e2e tests take down a mesh meanwhile. */
const GRACE_MS = 10_000;
const MAX_OUTPUT_CHARS = 20_000;

let runs = 0;

/** Resolves when the file's process and everything it started are gone; never rejects for what the file does. */
export async function runFile(file: string, timeoutMs: number, signal: AbortSignal): Promise<FileResult> {
  const scratch = mkdtempSync(join(tmpdir(), "meshctl-test-"));
  const eventsFile = join(scratch, "events");
  const mark = `${process.pid}.${++runs}`;
  const startedAt = performance.now();
  // A group of its own, so that a terminal's Ctrl-C reaches this runner alone, which then ends the group in order.
  const child = spawn(process.execPath, [`--test-reporter=${REPORTER}`, `--test-reporter-destination=${eventsFile}`, file], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, [MARK]: mark, NODE_TEST_CONTEXT: undefined },
  });
  let output = "";
  const keep = (chunk: string): void => {
    output = (output + chunk).slice(-MAX_OUTPUT_CHARS);
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);

  let isTimedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const end = (): void => {
    child.kill("SIGTERM");
    killer ??= setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
  };
  const limit = setTimeout(() => {
    isTimedOut = true;
    end();
  }, timeoutMs);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();

  // "exit" and not "close": a leftover may hold the pipes open.
  const outcome = await new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
    child.once("exit", (code, by) => resolve(by === null ? `exit code ${code}` : `ended by ${by}`));
  });
  clearTimeout(limit);
  clearTimeout(killer);
  signal.removeEventListener("abort", end);
  await endLeftovers(mark);
  child.stdout.destroy();
  child.stderr.destroy();

  const events = readEvents(eventsFile);
  rmSync(scratch, { recursive: true, force: true });
  const problem = isTimedOut ? `still running after ${timeoutMs / 1000} s` : outcome;
  return { ...judge(events, problem, output), durationMs: performance.now() - startedAt };
}

/** Turns the events of a file's process, how it ended and what it printed into counts and failures. */
export function judge(events: readonly TestEvent[], outcome: string, output: string): Omit<FileResult, "durationMs"> {
  const count = (kind: TestEvent["kind"]): number => events.filter((each) => each.kind === kind).length;
  const failures: FailedTest[] = [];
  for (const event of events) if (event.kind === "fail") failures.push({ title: event.name, line: event.line, reason: event.error });
  const fileFailed = (reason: string): void => {
    failures.push({
      title: undefined,
      line: undefined,
      reason: output.trim() === "" ? reason : `${reason}; it printed:\n${output.trim()}`,
    });
  };
  const isComplete = events.some((each) => each.kind === "end");
  if (!isComplete) fileFailed(`${outcome}${unfinished(events)}`);
  else if (events.length === 1) fileFailed("has no tests");
  else if (outcome !== "exit code 0" && failures.length === 0)
    fileFailed(`${outcome}, though its tests passed: something was left open or went wrong after them`);
  return { passed: count("pass"), skipped: count("skip"), failures };
}

function unfinished(events: readonly TestEvent[]): string {
  const open: string[] = [];
  for (const event of events) {
    if (event.kind === "start") open.push(event.name);
    else if (event.kind !== "end" && open.includes(event.name)) open.splice(open.indexOf(event.name), 1);
  }
  if (open.length > 0) return ` in the middle of: ${open.join(", ")}`;
  return events.length === 0 ? " before its first test" : " after its last test: something was left open";
}

function readEvents(file: string): TestEvent[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  // The last line may be cut off when the process was killed.
  const lines = text.split("\n").slice(0, -1);
  return lines.map((each) => JSON.parse(each) as TestEvent);
}
