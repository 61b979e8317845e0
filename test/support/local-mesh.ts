// Drives `bin/meshctl local` as a person does, with run folders and names that no other mesh of the machine has.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import type { MeshInfo } from "../../src/local/run-folder.ts";

export const ROOT = resolve(import.meta.dirname, "../..");
export const MESHCTL = join(ROOT, "bin/meshctl");
export const CAN_RUN_LOCAL_MESH = process.platform === "linux" && process.getuid?.() === 0;
const COMMAND_TIMEOUT_MS = 90_000;

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; never rejects for its exit code. */
export async function runCommand(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<CommandResult> {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"], timeout: COMMAND_TIMEOUT_MS });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? (signal === null ? -1 : -2)));
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

export function meshctl(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(MESHCTL, args);
}

let count = 0;

/** One local mesh of a test. `stop` in an `after` hook, whatever happened. */
export class LocalMesh {
  readonly name: string;
  /** For the test's own YAML; removed by stop. */
  readonly folder = mkdtempSync(join(tmpdir(), "meshctl-test-"));

  constructor(label: string) {
    this.name = `test-${label}-${process.pid}-${++count}`;
  }

  get runFolder(): string {
    return join("/run/meshctl", this.name);
  }

  /** Starts it detached. @throws with what `up` said when it fails. */
  async start(...args: readonly string[]): Promise<CommandResult> {
    const result = await this.tryStart(...args);
    if (result.code !== 0) throw new Error(`local up failed (${result.code}): ${result.stderr}`);
    return result;
  }

  tryStart(...args: readonly string[]): Promise<CommandResult> {
    return meshctl("local", "up", "--detach", "--name", this.name, ...args);
  }

  /** As the app of the workload. */
  exec(workload: string, ...command: readonly string[]): Promise<CommandResult> {
    return meshctl("local", "exec", workload, "--name", this.name, "--", ...command);
  }

  async status(): Promise<MeshInfo> {
    const result = await meshctl("local", "status", "--name", this.name, "-o", "json");
    if (result.code !== 0) throw new Error(result.stderr);
    return JSON.parse(result.stdout) as MeshInfo;
  }

  /** Runs a program in the sandbox's namespaces, as its root. */
  inSandbox(...command: readonly string[]): Promise<CommandResult> {
    return runCommand("nsenter", ["--target", `${this.sandboxPid()}`, "--mount", "--pid", "--net", ...command]);
  }

  sandboxPid(): number {
    return Number.parseInt(readFileSync(join(this.runFolder, "sandbox.stat"), "utf8"), 10);
  }

  async stop(): Promise<CommandResult> {
    const result = await meshctl("local", "down", "--name", this.name);
    rmSync(this.folder, { recursive: true, force: true });
    return result;
  }
}

/** What this machine would still have of a mesh: processes that name it, files, mounts, namespaces, rules. */
export async function tracesOf(name: string): Promise<string[]> {
  const traces: string[] = [];
  for (const pid of readdirSync("/proc").filter((each) => /^\d+$/.test(each) && Number(each) !== process.pid)) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      if (command.includes(name)) traces.push(`process ${pid}: ${command}`);
    } catch {
      // It ended meanwhile.
    }
  }
  for (const path of [join("/run/meshctl", name), join("/run/netns", name)]) if (existsSync(path)) traces.push(path);
  if (readFileSync("/proc/self/mountinfo", "utf8").includes(name)) traces.push("a mount");
  return traces;
}

/** The machine's own network as text: interfaces with their addresses, namespaces by name, and rules. */
export async function hostNetwork(): Promise<string> {
  const parts = await Promise.all([
    runCommand("ip", ["-brief", "address"]),
    runCommand("ip", ["netns", "list"]),
    runCommand("ip", ["route"]),
    runCommand("iptables-save", []),
    runCommand("ip6tables-save", []),
  ]);
  // Comments hold the time.
  return parts.map((part) => part.stdout.replace(/^#.*\n/gm, "")).join("\n");
}
