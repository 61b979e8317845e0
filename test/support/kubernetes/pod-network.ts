// Pods of a real cluster that are processes here: each in namespaces of its own (network, mounts, host name), on a bridge that the
// API server reaches, with its service account's token where Kubernetes mounts it.
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** Within the namespace that the API server is in. */
const GATEWAY = "10.99.1.1";
/** Else the kernel takes the ports' lowest, anew with each pod, and pods that know another wait half a minute for ARP. */
const GATEWAY_MAC = "02:6d:65:73:68:01";
const SERVICE_ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount";
const GRACE_MS = 15_000;
const MAX_OUTPUT_CHARS = 200_000;

const sh = (script: string): string => execFileSync("sh", ["-e", "-c", script], { encoding: "utf8" });

export interface PodProgram {
  readonly name: string;
  /** A path that any user may read and execute. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Folder with `token`, `ca.crt` and `namespace`. */
  readonly serviceAccountFolder: string;
  readonly uid: number;
}

export class PodNetwork {
  readonly #pods: PodProcess[] = [];

  constructor() {
    sh(`ip link add pods address ${GATEWAY_MAC} type bridge; ip link set pods up; ip addr add ${GATEWAY}/24 dev pods`);
  }

  /** The address that the next pod gets. */
  get nextAddress(): string {
    return `10.99.1.${this.#pods.length + 10}`;
  }

  async start(pod: PodProgram): Promise<PodProcess> {
    const started = new PodProcess(this.#pods.length, this.nextAddress, pod);
    this.#pods.push(started);
    await started.enter();
    return started;
  }

  async stop(): Promise<void> {
    for (const each of this.#pods) await each.stop("SIGKILL");
  }
}

export class PodProcess {
  readonly address: string;
  readonly #index: number;
  readonly #child: ChildProcess;
  #output = "";

  constructor(index: number, address: string, { name, program, args, env, serviceAccountFolder, uid }: PodProgram) {
    this.address = address;
    this.#index = index;
    // /var/run is /run. The kernel kills the program when this thread ends, whoever killed that.
    const script = `
      read -r go
      hostname "$HOSTNAME"
      ip link set lo up; ip link set eth0 up; ip addr add ${address}/24 dev eth0; ip route add default via ${GATEWAY}
      mount -t tmpfs none /run; mkdir -p ${SERVICE_ACCOUNT}; mount --bind "$FOLDER" ${SERVICE_ACCOUNT}
      exec setpriv --reuid=${uid} --regid=${uid} --clear-groups --no-new-privs --pdeathsig KILL "$0" "$@" </dev/null`;
    this.#child = spawn("unshare", ["--net", "--mount", "--uts", "sh", "-e", "-c", script, program, ...args], {
      env: { ...env, HOSTNAME: name, PATH: process.env["PATH"], FOLDER: serviceAccountFolder },
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => (this.#output = (this.#output + text).slice(-MAX_OUTPUT_CHARS)));
  }

  /** Plugs it in and lets the program begin. */
  async enter(): Promise<void> {
    const pid = this.#child.pid ?? 0;
    // It is unshare before it is the shell of its own namespace.
    await waitUntil(() => sh(`readlink /proc/${pid}/ns/net`) !== sh("readlink /proc/self/ns/net"));
    sh(`ip link add pod${this.#index} type veth peer name eth0 netns ${pid}; ip link set pod${this.#index} master pods up`);
    this.#child.stdin!.end("go\n");
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get output(): string {
    return this.#output;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Runs a program in the pod's network. */
  run(program: string, args: readonly string[]): string {
    return execFileSync("nsenter", [`--net=${join("/proc", String(this.#child.pid), "ns/net")}`, program, ...args], { encoding: "utf8" });
  }

  /** @returns the exit code; null when it had to be killed. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.hasEnded) return this.#child.exitCode;
    const ended = once(this.#child, "exit") as Promise<[number | null]>;
    this.#child.kill(signal);
    const killer = setTimeout(() => this.#child.kill("SIGKILL"), GRACE_MS);
    const [code] = await ended;
    clearTimeout(killer);
    return code;
  }
}

async function waitUntil(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 500) throw new Error("the pod's namespace does not come");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
