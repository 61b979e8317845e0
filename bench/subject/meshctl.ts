// Starts meshctl as a sidecar runs: bin/meshctl on the bundle, which gives a proxy its own Node flags.
import { join, resolve } from "node:path";
import type { Lab, PinnedProcess } from "../lab.ts";
import { Core } from "../lab.ts";

const LAUNCHER = join(resolve(import.meta.dirname, "../.."), "bin/meshctl");

/** @param cpuprof folder for a CPU profile of the whole run, written when the process ends. */
export function startMeshctl(lab: Lab, name: string, bootstrap: string, cpuprof: string | undefined): PinnedProcess {
  const file = lab.write(`${name}.json`, bootstrap);
  const env: Record<string, string> = { MESHCTL_NO_BUILD: "1" };
  if (cpuprof !== undefined) env["NODE_OPTIONS"] = `--cpu-prof --cpu-prof-dir=${cpuprof} --cpu-prof-name=${name}.cpuprofile`;
  return lab.start(name, Core.proxy, [LAUNCHER, "proxy", "--bootstrap", file], env);
}
