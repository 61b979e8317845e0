// Runs the real bin/meshctl as a person would and reports what came out.
import { resolve } from "node:path";
import { runProgram } from "./run-program.ts";
import type { ProgramOptions, ProgramResult } from "./run-program.ts";

const MESHCTL = resolve(import.meta.dirname, "../../bin/meshctl");
const TIMEOUT_MS = 30_000;

export type MeshctlResult = ProgramResult;

export function runMeshctl(args: readonly string[], options: Partial<ProgramOptions> = {}): Promise<MeshctlResult> {
  return runProgram(MESHCTL, args, { timeoutMs: TIMEOUT_MS, ...options });
}
