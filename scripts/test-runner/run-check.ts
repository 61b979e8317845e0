// Runs a checker of the whole repository (tsc, eslint, prettier) as if it were a file with one test.
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import type { FileResult } from "./run-file.ts";

export async function runCheck(root: string, [program, ...args]: readonly string[], signal: AbortSignal): Promise<FileResult> {
  const startedAt = performance.now();
  const bin = join(root, "node_modules/.bin");
  const output: string[] = [];
  const reason = await new Promise<string | undefined>((resolve) => {
    const child = spawn(join(bin, program!), args, {
      cwd: root,
      signal,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}` },
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => output.push(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => output.push(text));
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, by) => resolve(code === 0 ? undefined : (by ?? `exit code ${code}`)));
  });
  const failures = reason === undefined ? [] : [{ title: undefined, line: undefined, reason: `${reason}\n${output.join("").trim()}` }];
  return { passed: reason === undefined ? 1 : 0, skipped: 0, failures, durationMs: performance.now() - startedAt };
}
