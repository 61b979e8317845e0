// One container over its life: started, watched, started again with growing pauses when it ends, stopped.
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync } from "node:fs";
import type { ContainerLog } from "./container-log.ts";

/** The first restart is immediate; then pauses double, and a run of this length starts the count anew. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const HEALTHY_RUN_MS = 60_000;

export type ContainerState = "Waiting" | "Running" | "Completed" | "Error" | "CrashLoopBackOff";

export interface ContainerEnd {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

export function describeEnd(end: ContainerEnd): string {
  return end.signal !== undefined ? `ended by ${end.signal}` : `exit code ${end.code ?? "unknown"}`;
}

export interface ContainerProcessOptions {
  readonly commandLine: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly log: ContainerLog;
  readonly onChange: () => void;
}

export class ContainerProcess {
  readonly #options: ContainerProcessOptions;
  #child: ChildProcess | undefined;
  #state: ContainerState = "Waiting";
  #message: string | undefined;
  #lastEnd: string | undefined;
  #restarts = 0;
  #crashes = 0;
  #startedAt = 0;
  #pause: NodeJS.Timeout | undefined;
  #stopping = false;
  #ended: (() => void)[] = [];
  /** Told each time the process has started and each time it has ended. */
  onStart: () => void = () => undefined;
  onEnd: (end: ContainerEnd) => void = () => undefined;

  constructor(options: ContainerProcessOptions) {
    this.#options = options;
  }

  get state(): ContainerState {
    return this.#state;
  }

  get message(): string | undefined {
    return this.#message;
  }

  get lastEnd(): string | undefined {
    return this.#lastEnd;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** In the sandbox's numbering. */
  get pid(): number | undefined {
    return this.#state === "Running" ? this.#child?.pid : undefined;
  }

  start(): void {
    const { commandLine, environment, log } = this.#options;
    const [program = "", ...args] = commandLine;
    const output = log.open();
    this.#startedAt = performance.now();
    const child = spawn(program, args, { detached: true, stdio: ["ignore", output, output], env: { ...environment }, cwd: "/" });
    closeSync(output);
    this.#child = child;
    this.#state = "Running";
    this.#message = undefined;
    child.once("error", (error) => this.#onExit({ code: undefined, signal: undefined }, error.message));
    child.once("exit", (code, signal) => this.#onExit({ code: code ?? undefined, signal: signal ?? undefined }));
    this.onStart();
    this.#options.onChange();
  }

  /** SIGTERM, then SIGKILL after the grace period; resolves when the process is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#pause);
    await this.kill(graceMs);
  }

  /** As a failed liveness probe does: ends the process, and the restart policy does the rest. */
  async kill(graceMs: number): Promise<void> {
    if (this.#state !== "Running") return;
    const ended = new Promise<void>((resolve) => this.#ended.push(resolve));
    this.#signal("SIGTERM");
    // A grace period without end: the longest that a timer can wait.
    const kill = setTimeout(() => this.#signal("SIGKILL"), Math.min(graceMs, 2 ** 31 - 1));
    await ended;
    clearTimeout(kill);
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      // A container is a session of its own: the group is the command with its children.
      process.kill(signal === "SIGKILL" ? -pid : pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }

  #onExit(end: ContainerEnd, failure?: string): void {
    const pid = this.#child?.pid;
    this.#child = undefined;
    if (pid !== undefined) {
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // The usual case: the process left no children.
      }
    }
    this.#state = end.code === 0 ? "Completed" : "Error";
    this.#message = failure ?? describeEnd(end);
    this.#lastEnd = this.#message;
    for (const resolve of this.#ended.splice(0)) resolve();
    this.onEnd(end);
    if (!this.#stopping) this.#scheduleRestart();
    this.#options.onChange();
  }

  #scheduleRestart(): void {
    if (performance.now() - this.#startedAt >= HEALTHY_RUN_MS) this.#crashes = 0;
    const pauseMs = this.#crashes === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (this.#crashes - 1), LONGEST_PAUSE_MS);
    this.#crashes++;
    if (pauseMs > 0) this.#state = "CrashLoopBackOff";
    this.#pause = setTimeout(() => {
      this.#restarts++;
      this.start();
    }, pauseMs);
  }
}
