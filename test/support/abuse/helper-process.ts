// A program of this folder as a process of its own: it prints one line of JSON when it is ready, and one when its input
// has ended, after which it exits.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";

export class HelperProcess<Ready, Result> implements AsyncDisposable {
  readonly ready: Ready;
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess, lines: Interface, ready: Ready) {
    this.#child = child;
    this.#lines = lines;
    this.ready = ready;
  }

  /** @param inside run in front of the command, such as `ip netns exec NAME`. */
  static async start<Ready, Result>(
    program: string,
    args: readonly string[],
    inside: readonly string[] = [],
  ): Promise<HelperProcess<Ready, Result>> {
    const command = [...inside, process.execPath, join(import.meta.dirname, program), ...args];
    const child = spawn(command[0]!, command.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface(child.stdout);
    return new HelperProcess(child, lines, await nextLine<Ready>(child, lines, program));
  }

  /** Ends its input and resolves to what it says at its end. */
  async finish(): Promise<Result> {
    this.#child.stdin!.end();
    return nextLine<Result>(this.#child, this.#lines, "helper");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.kill("SIGKILL")) await once(this.#child, "exit");
  }
}

async function nextLine<T>(child: ChildProcess, lines: Interface, program: string): Promise<T> {
  const exited = once(child, "exit").then(([code]) => Promise.reject(new Error(`${program} ended with ${code}`)));
  exited.catch(() => undefined);
  const [line] = (await Promise.race([once(lines, "line"), exited])) as [string];
  return JSON.parse(line) as T;
}
