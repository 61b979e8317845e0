// `npm run demo`: gets the system programs that the local mesh needs, then runs `meshctl local demo`.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT, runScript } from "./run-script.ts";
import { ensureSystemPackages } from "./system-packages.ts";

const USAGE = `Usage: npm run demo                   the shop in a local mesh, until Ctrl-C
       npm run demo -- --once         remove it after the report
       npm run demo -- --name NAME    name of the mesh, to run several`;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { once: { type: "boolean" }, name: { type: "string" }, help: { type: "boolean" } } });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  await ensureSystemPackages("demo");
  const child = spawn(join(ROOT, "bin/meshctl"), ["local", "demo", ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both: here it is left to the demo, which removes its mesh first.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", (code) => done(code ?? 1));
  });
}

await runScript("npm run demo", USAGE, main);
