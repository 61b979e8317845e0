// A command of kubelet's beside a container's process: exec probes and hooks.
import { existsSync } from "node:fs";
import { runProgram } from "../run-program.ts";
import { CONTAINER_PATH, identityArguments, type ContainerIdentity } from "./container-launch.ts";
import { CONTAINER_RUNTIME } from "./root-folder.ts";

const POLL_MS = 20;

/** Resolves to its exit code; one that takes too long counts as failed. */
export async function runBeside(pid: number, identity: ContainerIdentity, command: readonly string[], timeoutMs: number): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  // The process is the container's own as soon as it has the container's root.
  while (!existsSync(`/proc/${pid}/root${CONTAINER_RUNTIME}`)) {
    if (performance.now() > deadline || !existsSync(`/proc/${pid}`)) return 1;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const enter = ["-t", `${pid}`, "--mount", "--uts", "--net", "--root", "--wdns=/", "setpriv", ...identityArguments(identity)];
  // Found on the container's PATH; the programs in front of it on ours.
  const found = ["--", "/usr/bin/env", `PATH=${CONTAINER_PATH}`, "MESHCTL_NO_BUILD=1", ...command];
  try {
    await runProgram("nsenter", [...enter, ...found], "", Math.max(1, Math.ceil(deadline - performance.now())));
    return 0;
  } catch (error) {
    return (error as { exitCode?: number }).exitCode ?? 1;
  }
}
