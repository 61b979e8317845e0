// `exec`: a command beside a container's process, with its user, environment, files and network.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { UserError } from "../../common/user-error.ts";
import { CONTAINER_PATH, identityArguments } from "./container-launch.ts";
import { SYSTEM_PATH } from "../prerequisites.ts";
import type { MeshInfo } from "../run-folder.ts";
import { RUNTIME_FOLDER } from "../sandbox.ts";

const NOT_FOUND = 127;

/** Runs it with this process's standard streams; resolves to its exit code, 128 + n for a signal. */
function runToEnd(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit", env: { ...env } });
    // Ctrl-C goes to the whole foreground group: what it does is the command's decision.
    const ignore = (): void => undefined;
    for (const signal of ["SIGINT", "SIGQUIT"] as const) process.on(signal, ignore);
    const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
    for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, passOn);
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** From the machine into the sandbox, to runInContainer there. */
export function execInSandbox(mesh: MeshInfo, pid: number, command: readonly string[], terminal: string | undefined): Promise<number> {
  const sandbox = mesh.sandbox;
  if (sandbox === undefined) throw new UserError(`mesh ${mesh.name} has no sandbox`, "see meshctl local status");
  const namespaces = [...(mesh.rootless ? ["--user"] : []), "--mount", "--pid", "--net"];
  const enter = [
    "--target",
    `${sandbox.pid}`,
    ...namespaces,
    "--",
    `${RUNTIME_FOLDER}/bin/meshctl`,
    "local-enter",
    `${pid}`,
    "--",
    ...command,
  ];
  return runToEnd("nsenter", enter, terminal === undefined ? { PATH: SYSTEM_PATH } : { PATH: SYSTEM_PATH, TERM: terminal });
}

/** Ids that the process runs under. */
function readIdentity(pid: number): { readonly uid: number; readonly gid: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const id = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  return { uid: id("Uid"), gid: id("Gid") };
}

function readEnvironment(pid: number): Record<string, string> {
  const pairs = readFileSync(`/proc/${pid}/environ`, "utf8")
    .split("\0")
    .filter((pair) => pair.includes("="));
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

/** Inside the sandbox. */
export async function runInContainer(pid: number, command: readonly string[]): Promise<number> {
  const environment = readEnvironment(pid);
  const identity = { ...readIdentity(pid), capabilities: [], noNewPrivileges: false };
  const path = environment["PATH"] ?? CONTAINER_PATH;
  const terminal: Record<string, string> = process.env["TERM"] === undefined ? {} : { TERM: process.env["TERM"] };
  // env finds the command on the container's PATH; nsenter and setpriv are found on ours.
  const chain = ["--target", `${pid}`, "--mount", "--uts", "--net", "--root", "--wd", "setpriv", ...identityArguments(identity)];
  try {
    return await runToEnd("nsenter", [...chain, "--", "/usr/bin/env", `PATH=${path}`, ...command], {
      ...environment,
      ...terminal,
      PATH: SYSTEM_PATH,
    });
  } catch (error) {
    process.stderr.write(`meshctl: ${error instanceof Error ? error.message : String(error)}\n`);
    return NOT_FOUND;
  }
}
