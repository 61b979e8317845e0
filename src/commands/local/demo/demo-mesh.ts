// The demo's own mesh: `meshctl local up`, as a person would type it, watched while its pods come up.
import { spawn } from "node:child_process";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { CommandContext } from "../../../cli/command.ts";
import { isLive, startProgress, type Progress } from "../../../cli/progress.ts";
import { UserError } from "../../../common/user-error.ts";
import { findMesh, type MeshInfo } from "../../../local/run-folder.ts";
import { findPackageRoot } from "../../../local/sandbox.ts";

const POLL_MS = 100;
/** Between the mesh being ready and the publisher listening. */
const PUBLISH_WAIT_MS = 5000;

export interface DemoMesh {
  readonly mesh: MeshInfo;
  /** Stops it as Ctrl-C stops `meshctl local up`, and waits until nothing is left. */
  remove(): Promise<void>;
}

/**
 * Starts the mesh on the sample and shows its pods as they come up. When this rejects, nothing is left of it.
 * @throws UserError when it doesn't start, or can't from here; the signal's reason when that interrupts it.
 */
export async function startMesh(context: CommandContext, name: string, signal: AbortSignal): Promise<DemoMesh> {
  // Says so where there are none, before a child fails for it.
  findPackageRoot();
  const up = runUp(context, name);
  const pods = new PodProgress(context, performance.now());
  const remove = async (): Promise<void> => {
    up.child.kill("SIGTERM");
    const { code, output } = await up.done;
    if (code !== 0 && code !== INTERRUPTED)
      throw new UserError(`the mesh was not removed:\n${output.trimEnd()}`, `try: meshctl local down --name ${name}`);
  };
  try {
    await pods.start();
    for (;;) {
      signal.throwIfAborted();
      if (up.ended !== undefined) throw new UserError(`the mesh did not start:\n${up.ended.output.trimEnd()}`);
      const mesh = findMesh(name, context.env);
      // Until the child has claimed the name, that mesh may be somebody else's: then the child ends with the reason.
      if (mesh !== undefined && mesh.starter.pid === up.child.pid) {
        await pods.show(mesh);
        if (mesh.phase === "ready" && (await isPublished(mesh))) return { mesh, remove };
      }
      await Promise.race([up.done, delay(POLL_MS)]);
    }
  } catch (error) {
    pods.stop();
    await remove().catch(() => undefined);
    throw error;
  } finally {
    pods.stop();
  }
}

async function isPublished(mesh: MeshInfo): Promise<boolean> {
  const port = mesh.published[0]?.hostPort;
  if (port === undefined) throw new UserError("the mesh publishes no port");
  const deadline = performance.now() + PUBLISH_WAIT_MS;
  while (performance.now() < deadline) {
    const socket = net.connect(port, "127.0.0.1");
    const isOpen = await new Promise<boolean>((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    socket.destroy();
    if (isOpen) return true;
    await delay(POLL_MS);
  }
  throw new UserError(`nothing listens on the published port ${port}`);
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

const INTERRUPTED = 130;

/**
 * Runs this very program's `local up` as a child, in a session of its own: a terminal's Ctrl-C reaches only the demo,
 * which then ends the child; and should the demo be killed, the kernel ends the child, and with it the mesh.
 */
function runUp(context: CommandContext, name: string) {
  const args = ["local", "up", "--name", name, "--publish", "frontend:80:0"];
  const child = spawn("setpriv", ["--pdeathsig", "TERM", process.execPath, process.argv[1]!, ...args], {
    env: { ...context.env, PATH: `${context.env["PATH"] ?? ""}:/usr/sbin:/sbin:/usr/bin:/bin`, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const up: { readonly child: typeof child; ended: Ended | undefined; readonly done: Promise<Ended> } = {
    child,
    ended: undefined,
    done: new Promise<Ended>((resolve) => {
      child.once("error", (error) => resolve({ code: null, output: error.message }));
      // The mesh's own processes may hold the pipes longer than the child lives: `exit`, not `close`, is its end.
      child.once("exit", (code) => setImmediate(() => resolve({ code, output: withoutProgress(output) })));
    }),
  };
  void up.done.then((ended) => (up.ended = ended));
  return up;
}

/** The child's words without the lines that the demo shows itself. */
function withoutProgress(output: string): string {
  return output.replace(/^starting mesh .*\n/gm, "").replace(/^meshctl: /, "");
}

/** A line for each pod once it is ready, and a spinner that names those that aren't. */
class PodProgress {
  readonly #context: CommandContext;
  readonly #startedAt: number;
  readonly #ready = new Set<string>();
  #progress: Progress | undefined;

  constructor(context: CommandContext, startedAt: number) {
    this.#context = context;
    this.#startedAt = startedAt;
  }

  async start(): Promise<void> {
    this.#progress = await startProgress(this.#context.stderr, "starting the mesh");
  }

  async show(mesh: MeshInfo): Promise<void> {
    const pods = [...(mesh.controller === undefined ? [] : [mesh.controller]), ...mesh.pods];
    for (const pod of pods) {
      if (!pod.ready || this.#ready.has(pod.name)) continue;
      this.#ready.add(pod.name);
      const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
      this.#progress?.succeed(`${pod.name.padEnd(34)} ready after ${seconds} s   ${pod.ip}`);
      this.#progress = await startProgress(this.#context.stderr, "");
    }
    const waiting = pods.filter((pod) => !pod.ready).map((pod) => pod.owner.name);
    if (waiting.length > 0 && isLive(this.#context.stderr)) this.#progress?.update(`starting ${waiting.join(", ")}`);
  }

  stop(): void {
    this.#progress?.stop();
  }
}
