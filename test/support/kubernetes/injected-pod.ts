// The kubelet of one pod: runs the containers of its spec as the API server has it, in their order, as processes with
// volumes, environment and user of the spec. Nothing here knows what the mesh has put into it.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import type { IncomingMessage } from "node:http";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { identityArguments } from "../../../src/local/pod/container-launch.ts";
import { containerLaunch, MESH_IMAGE } from "../../../src/local/pod/container-spec.ts";
import { buildEnvironment } from "../../../src/local/pod/pod-environment.ts";
import type { PodFacts } from "../../../src/local/pod/pod-environment.ts";
import { PodVolumes } from "../../../src/local/pod/pod-volumes.ts";
import type { ConfigMap, Container } from "../../../src/manifests/kube-objects.ts";
import { eventually } from "../eventually.ts";
import { runProgram } from "../run-program.ts";
import type { ProgramResult } from "../run-program.ts";
import type { PodProcess } from "./pod-network.ts";

const START_TIMEOUT_MS = 90_000;
const EXEC_TIMEOUT_MS = 30_000;
/** Kubernetes' default. */
const GRACE_MS = 30_000;
const MAX_OUTPUT_CHARS = 200_000;

export interface PodSurroundings {
  /** Whose network the containers share. */
  readonly sandbox: PodProcess;
  readonly folder: string;
  /** What stands in the mesh's image. */
  readonly meshctl: string;
  /** Lines for /etc/hosts: there is no cluster DNS. */
  readonly hosts: readonly string[];
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly mintToken: (audience: string) => Promise<string>;
}

interface RunningContainer {
  readonly child: ChildProcess;
  readonly uid: number;
  output: string;
}

export class InjectedPod {
  readonly facts: PodFacts;
  readonly #around: PodSurroundings;
  readonly #volumes: PodVolumes;
  readonly #containers = new Map<string, RunningContainer>();

  constructor(facts: PodFacts, around: PodSurroundings) {
    this.facts = facts;
    this.#around = around;
    this.#volumes = new PodVolumes(join(around.folder, "volumes"), facts, {
      configMap: (name) => around.configMaps.get(name),
      mintToken: around.mintToken,
    });
  }

  get name(): string {
    return this.facts.metadata.name;
  }

  get address(): string {
    return this.#around.sandbox.address;
  }

  /** Resolves once every container has started, and those that say when are ready. */
  async start(): Promise<void> {
    const problems = await this.#volumes.write();
    if (problems.length > 0) throw new Error(problems.join("; "));
    const { namespace } = this.facts.metadata;
    const domains = [`${namespace}.svc.cluster.local`, "svc.cluster.local", "cluster.local"];
    const resolver = `search ${domains.join(" ")}\nnameserver 10.96.0.10\noptions ndots:5\n`;
    writeFileSync(join(this.#around.folder, "resolv.conf"), resolver);
    const hosts = ["127.0.0.1\tlocalhost", `${this.address}\t${this.name}`, ...this.#around.hosts, ""];
    writeFileSync(join(this.#around.folder, "hosts"), hosts.join("\n"));
    for (const each of this.facts.spec.initContainers ?? []) {
      const { child } = this.#run(each);
      if (each.restartPolicy === "Always") await this.#untilProbed(each);
      else if (await ended(child)) throw new Error(`${each.name}: ${this.output(each.name)}`);
    }
    for (const each of this.facts.spec.containers) this.#run(each);
    for (const each of this.facts.spec.containers) await this.#untilProbed(each);
  }

  /** Of a container, both streams. */
  output(container: string): string {
    return this.#containers.get(container)?.output ?? "";
  }

  pid(container: string): number {
    return this.#containers.get(container)?.child.pid ?? 0;
  }

  /** As the node sees a container of it. */
  async isReady(container: string): Promise<boolean> {
    const { initContainers = [], containers } = this.facts.spec;
    const probe = [...initContainers, ...containers].find((each) => each.name === container)?.readinessProbe?.httpGet;
    if (probe === undefined) return true;
    return (await statusOf(this.address, Number(probe.port), probe.path ?? "/")) === 200;
  }

  /** Beside a container's process, with its user, files and network. */
  exec(container: string, program: string, ...args: readonly string[]): Promise<ProgramResult> {
    const running = this.#containers.get(container);
    if (running === undefined) throw new Error(`${container} does not run`);
    const { child, uid } = running;
    const user = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
    const into = [`--target=${child.pid}`, "--net", "--mount", "--uts"];
    const command = [program === MESH_IMAGE ? this.#around.meshctl : program, ...args];
    return runProgram("nsenter", [...into, ...user, ...command], { env: { MESHCTL_NO_BUILD: "1" }, timeoutMs: EXEC_TIMEOUT_MS });
  }

  /** As a deletion ends it: every preStop hook, then the apps, then the sidecars. @returns how each container ended. */
  async terminate(): Promise<Readonly<Record<string, number | string>>> {
    const { initContainers = [], containers } = this.facts.spec;
    const sidecars = initContainers.filter((each) => each.restartPolicy === "Always");
    for (const { name, lifecycle } of [...sidecars, ...containers]) {
      const [program, ...args] = lifecycle?.preStop?.exec?.command ?? [];
      const hook = program === undefined ? undefined : await this.exec(name, program, ...args);
      if (hook !== undefined && hook.code !== 0) throw new Error(`preStop of ${name}: ${hook.stderr}`);
    }
    const ends: Record<string, number | string> = {};
    for (const { name } of [...containers, ...sidecars.toReversed()]) {
      const { child } = this.#containers.get(name)!;
      const end = ended(child);
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
      ends[name] = await end;
      clearTimeout(killer);
    }
    return ends;
  }

  async stop(): Promise<void> {
    for (const { child } of this.#containers.values()) {
      const end = ended(child);
      child.kill("SIGKILL");
      await end;
    }
    await this.#around.sandbox.stop("SIGKILL");
    this.#volumes.remove();
  }

  #run(spec: Container): RunningContainer {
    const isOurs = spec.image?.startsWith(`${MESH_IMAGE}:`) === true;
    const container = isOurs ? { ...spec, image: MESH_IMAGE, command: [this.#around.meshctl] } : spec;
    const { values: environment, problems } = buildEnvironment(container, this.facts, (name) => this.#around.configMaps.get(name));
    if (problems.length > 0) throw new Error(problems.join("; "));
    const { launch, values } = containerLaunch(container, this.facts, environment, (uid) => this.#volumes.mounts(container, uid));
    const { folder, sandbox } = this.#around;
    const script = [
      "mount -t tmpfs none /run",
      `mkdir /run/etc; cp -a /etc/. /run/etc; cp ${folder}/hosts ${folder}/resolv.conf /run/etc; mount --bind /run/etc /etc`,
      // /var/run is /run.
      ...launch.mounts.map(({ source, target }) => `mkdir -p ${target}; mount --bind -o ro ${source} ${target}`),
      'exec setpriv --pdeathsig KILL "$@"',
    ];
    const namespaces = [`--target=${sandbox.pid}`, "--net", "--uts", "unshare", "--mount"];
    const args = [...namespaces, "sh", "-e", "-c", script.join("\n"), "sh", ...identityArguments(launch.identity), "--", ...launch.command];
    const PATH = `${dirname(process.execPath)}:${process.env["PATH"]}`;
    const child = spawn("nsenter", args, { env: { ...values, PATH, MESHCTL_NO_BUILD: "1" }, stdio: ["ignore", "pipe", "pipe"] });
    const running: RunningContainer = { child, uid: launch.identity.uid, output: "" };
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (running.output = (running.output + text).slice(-MAX_OUTPUT_CHARS)));
    this.#containers.set(spec.name, running);
    return running;
  }

  #untilProbed({ name }: Container): Promise<void> {
    return eventually(
      async () => {
        const { exitCode, signalCode } = this.#containers.get(name)!.child;
        const how = exitCode ?? signalCode;
        if (how !== null || !(await this.isReady(name))) throw new Error(`${name}: ${how ?? "not ready"}\n${this.output(name)}`);
      },
      { withinMs: START_TIMEOUT_MS },
    );
  }
}

/** @returns the exit code, or what it was killed by. */
async function ended(child: ChildProcess): Promise<number | string> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? child.signalCode ?? 0;
}

async function statusOf(host: string, port: number, path: string): Promise<number | undefined> {
  try {
    const request = get({ host, port, path, agent: false, timeout: 5_000 });
    request.on("timeout", () => request.destroy(new Error("no answer within 5 s")));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  } catch {
    return undefined;
  }
}
