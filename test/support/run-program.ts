// Runs somebody else's program to its end and reports what came out.
import { spawn } from "node:child_process";

export interface ProgramResult {
  /** null: it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The program is killed then. */
  readonly timeoutMs: number;
}

export function runProgram(
  program: string,
  args: readonly string[],
  { input = "", env, timeoutMs }: ProgramOptions,
): Promise<ProgramResult> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, timeout: timeoutMs, killSignal: "SIGKILL" });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", fail);
    child.once("close", (code) => done({ code, stdout, stderr }));
    child.stdin.on("error", () => {}).end(input);
  });
}
