// Runs one system program to its end (ip, mount, …) and says what it said when it fails.
import { execFile } from "node:child_process";
import { SYSTEM_PATH } from "./prerequisites.ts";

export class ProgramError extends Error {
  readonly exitCode: number | undefined;

  constructor(message: string, exitCode: number | undefined) {
    super(message);
    this.name = "ProgramError";
    this.exitCode = exitCode;
  }
}

/** Resolves to stdout; rejects with ProgramError naming the program, its first argument and its stderr. */
export function runProgram(program: string, args: readonly string[], input = "", timeoutMs = 30_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { env: { PATH: SYSTEM_PATH }, timeout: timeoutMs, maxBuffer: 1 << 20 },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const code = typeof error.code === "number" ? error.code : undefined;
        reject(new ProgramError(`${program} ${args[0] ?? ""}: ${stderr.trim() || error.message}`, code));
      },
    );
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}
