// npm run demo: gets the system programs that the local mesh needs, then runs `meshctl local demo`.
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { UserError } from "../src/common/user-error.ts";
import { ensureSystemPackages } from "./system-packages.ts";

async function main(): Promise<number> {
  await ensureSystemPackages("demo");
  const child = spawn(resolve(import.meta.dirname, "../bin/meshctl"), ["local", "demo", ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both: here it is left to the demo, which removes its mesh first.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", (code) => done(code ?? 1));
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`demo: ${error.message}\n${error.hint === undefined ? "" : `  ${error.hint}\n`}`);
  process.exitCode = error.exitCode;
}
