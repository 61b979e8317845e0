// What the scripts behind npm's commands share: building the bundle that they run, and telling a mistake from a bug.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { UserError } from "../src/common/user-error.ts";

export const ROOT = resolve(import.meta.dirname, "..");

/** Sets the exit code to what `main` resolves to; a user's mistake is a message and exit code 1. */
export async function runScript(name: string, usage: string, main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const isUsage = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
    if (!(error instanceof UserError) && !isUsage) throw error;
    console.error(`${name}: ${error.message}`);
    const hint = error instanceof UserError ? error.hint : `\n${usage}`;
    if (hint !== undefined) console.error(`  ${hint}`);
    process.exitCode = 1;
  }
}

/** Builds dist/ from src/ as it stands. */
export function buildBundle(): void {
  for (const script of ["scripts/generate-proto.ts", "scripts/bundle.ts"]) {
    const { status } = spawnSync(process.execPath, [join(ROOT, script)], { cwd: ROOT, stdio: "inherit" });
    if (status !== 0) throw new UserError(`${script} failed`, "mend what it printed above");
  }
}
