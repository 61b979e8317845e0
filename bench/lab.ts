// One run's surroundings: a temporary folder, free ports, and processes pinned to a core. close() ends and removes all.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../src/common/user-error.ts";

/** Load generator and origin share one core, the proxies that are measured have the other. */
export const Core = { load: 0, proxy: availableParallelism() > 1 ? 1 : 0 } as const;

/** Unit of the times in /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const STOP_GRACE_MS = 8_000;
const MAX_OUTPUT_CHARS = 4_000;

export class PinnedProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = "";
  #isStopping = false;
  /** Why it ended by itself, once it did. */
  failure: string | undefined;

  constructor(name: string, core: number, command: readonly string[], env: Readonly<Record<string, string>>) {
    this.name = name;
    // taskset execs the program, so the child's pid is the program's own.
    this.#child = spawn("taskset", ["-c", String(core), ...command], {
      // Out of the terminal's reach: a Ctrl-C is for the benchmark, which then ends its parts in order.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString("latin1")).slice(-MAX_OUTPUT_CHARS);
    };
    this.#child.stdout!.on("data", keep);
    this.#child.stderr!.on("data", keep);
    this.#ended = new Promise((resolve) => {
      const fail = (how: string): void => {
        if (!this.#isStopping)
          this.failure = `${this.name} ended by itself (${how})${this.#output === "" ? "" : `; it printed:\n${this.#output.trimEnd()}`}`;
        resolve();
      };
      this.#child.once("error", (error) => fail(error.message));
      this.#child.once("exit", (code, signal) => fail(signal ?? `exit code ${code}`));
    });
  }

  /** User and system time of all its threads so far, in seconds. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "latin1");
    // Fields 14 and 15; the second field, in parentheses, may hold blanks.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Anonymous memory in MB: what one more such process costs, without what it shares through files. */
  rssAnonMb(): number {
    const kb = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, "latin1"))?.[1];
    return Number(kb) / 1024;
  }

  /** At once, for when there is no time to wait. */
  kill(): void {
    this.#isStopping = true;
    this.#child.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#child.kill("SIGTERM");
    const killer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_GRACE_MS);
    await this.#ended;
    clearTimeout(killer);
  }
}

export class Lab {
  readonly folder = mkdtempSync(join(tmpdir(), "meshctl-bench-"));
  readonly #processes: PinnedProcess[] = [];
  /** However the benchmark ends (a bug, a closed pipe), its parts end with it. */
  readonly #onExit = (): void => {
    for (const each of this.#processes) each.kill();
    rmSync(this.folder, { recursive: true, force: true });
  };

  constructor() {
    process.once("exit", this.#onExit);
  }

  start(name: string, core: number, command: readonly string[], env: Readonly<Record<string, string>> = {}): PinnedProcess {
    const started = new PinnedProcess(name, core, command, env);
    this.#processes.push(started);
    return started;
  }

  /** Writes a file into the run's folder and gives its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  /** Throws when a process of the run has ended by itself. */
  assertAllRun(): void {
    const failed = this.#processes.find((each) => each.failure !== undefined);
    if (failed !== undefined) throw new UserError(failed.failure!, "a benchmark with a dead part means nothing; mend that first");
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((each) => each.stop()));
    process.off("exit", this.#onExit);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ports of 127.0.0.1 that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve))),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
