// Runs the real bin/meshctl as a person would and reports what came out.
import { spawn } from "node:child_process";
import { resolve } from "node:path";

const MESHCTL = resolve(import.meta.dirname, "../../bin/meshctl");

export interface MeshctlResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface MeshctlOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Default 30000; the process is killed then and `code` is null. */
  readonly timeoutMs?: number;
}

export function runMeshctl(args: readonly string[], options: MeshctlOptions = {}): Promise<MeshctlResult> {
  return new Promise((done, fail) => {
    const child = spawn(MESHCTL, args, {
      env: { ...process.env, ...options.env },
      timeout: options.timeoutMs ?? 30_000,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", fail);
    child.once("close", (code) => done({ code, stdout, stderr }));
    child.stdin.on("error", () => {}).end(options.input ?? "");
  });
}
