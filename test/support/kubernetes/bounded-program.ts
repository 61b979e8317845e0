// A server of somebody else's that a test runs: its output is kept for the message when it fails, and it ends with the
// test process, however that ends.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

const MAX_OUTPUT_CHARS = 8_000;
const GRACE_MS = 10_000;

export class BoundedProgram {
  readonly #child: ChildProcess;
  #output = "";

  constructor(program: string, args: readonly string[]) {
    // The kernel kills it when this thread ends, whoever killed that.
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => (this.#output = (this.#output + text).slice(-MAX_OUTPUT_CHARS)));
  }

  /** The last of what it printed. */
  get output(): string {
    return this.#output;
  }

  /** @throws Error once it has ended by itself. */
  assertRuns(): void {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) throw new Error(`ended with ${exitCode ?? signalCode}:\n${this.#output}`);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    const killer = setTimeout(() => this.#child.kill("SIGKILL"), GRACE_MS);
    await ended;
    clearTimeout(killer);
  }
}
