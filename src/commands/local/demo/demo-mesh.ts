// The demo's own mesh: `meshctl local up`, as a person would type it, watched while its pods come up.
import { spawn } from "node:child_process";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { CommandContext } from "../../../cli/command.ts";
import { isLive, startProgress, type Progress } from "../../../cli/progress.ts";
import { UserError } from "../../../common/user-error.ts";
import { endMesh } from "../../../local/mesh-lifetime.ts";
import { findMesh, type MeshInfo } from "../../../local/run-folder.ts";
import { findPackageRoot } from "../../../local/sandbox.ts";

const POLL_MS = 100;
/** Between the mesh being ready and the publisher listening. */
const PUBLISH_WAIT_MS = 5000;

/** How long what is left of a killed mesh may take to end. */
const GRACE_MS = 10_000;

export interface DemoMesh {
  /**
   * Shows the pods as they come up.
   * @throws UserError when the mesh doesn't start; the signal's reason when that interrupts it.
   */
  waitUntilReady(signal: AbortSignal): Promise<MeshInfo>;
  /** Aborted when the mesh ends, whoever ended it. The reason is a UserError with its last words. */
  readonly ended: AbortSignal;
  /** Stops it as Ctrl-C stops `meshctl local up`, and waits until nothing is left, also where that was killed. */
  remove(): Promise<void>;
}

/** Starts the mesh on the sample. @throws UserError when it can't from here. */
export function startMesh(context: CommandContext, name: string): DemoMesh {
  // Says so where there are none, before a child fails for it.
  findPackageRoot();
  const up = runUp(context, name);
  const isOurs = (mesh: MeshInfo | undefined): mesh is MeshInfo => mesh !== undefined && mesh.starter.pid === up.child.pid;
  let wasReady = false;
  const ended = new AbortController();
  void up.done.then((how) => {
    const words = up.words().trimEnd();
    const what = wasReady ? `the mesh has ended: ${how}` : `the mesh did not start:\n${words === "" ? how : words}`;
    ended.abort(new UserError(what));
  });

  const waitUntilReady = async (signal: AbortSignal): Promise<MeshInfo> => {
    const either = AbortSignal.any([signal, ended.signal]);
    const pods = new PodProgress(context, performance.now());
    try {
      await pods.start();
      for (;;) {
        either.throwIfAborted();
        const mesh = findMesh(name, context.env);
        // Until the child has claimed the name, that mesh may be somebody else's: then the child ends with the reason.
        if (isOurs(mesh)) {
          await pods.show(mesh);
          if (mesh.phase === "ready" && (await isPublished(mesh))) {
            wasReady = true;
            return mesh;
          }
        }
        await delay(POLL_MS, undefined, { signal: either }).catch(() => undefined);
      }
    } finally {
      pods.stop();
    }
  };

  const remove = async (): Promise<void> => {
    up.child.kill("SIGTERM");
    await up.done;
    if (isOurs(findMesh(name, context.env))) await endMesh(name, GRACE_MS);
  };
  return { waitUntilReady, ended: ended.signal, remove };
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
  const done = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    // The mesh's own processes may hold the pipes longer than the child lives: `exit`, not `close`, is its end.
    child.once("exit", (code, signal) => setImmediate(() => resolve(describeEnd(code, signal))));
  });
  return { child, /** How it ended. */ done, /** What it has said. */ words: () => withoutProgress(output) };
}

function describeEnd(code: number | null, signal: string | null): string {
  if (code === 0) return "something else has stopped it, such as meshctl local down";
  return `meshctl local up ${signal === null ? `ended with exit code ${code ?? 1}` : `was ended by ${signal}`}`;
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
