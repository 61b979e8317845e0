// Network namespaces for tests: a pod and a world outside it, joined by a veth pair, on both families, that no packet
// can leave. Needs root.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PEER = resolve(import.meta.dirname, "capture-peer.ts");
const NAMES = "/run/netns";
let made = 0;

export class NetworkNamespace {
  readonly name: string;
  readonly #children: ChildProcess[] = [];

  constructor() {
    if (made === 0) removeThoseOfDeadTests();
    this.name = `mctl-t${process.pid}-${made++}`;
    must(spawnSync("ip", ["netns", "add", this.name], { encoding: "utf8" }));
  }

  run(command: string, args: readonly string[], input = ""): Outcome {
    const result = spawnSync("ip", ["netns", "exec", this.name, command, ...args], { encoding: "utf8", input, timeout: 30_000 });
    return { code: result.status, stdout: result.stdout, stderr: result.stderr };
  }

  /** Runs shell lines; throws when one fails. */
  sh(script: string): string {
    return must(this.run("sh", ["-e", "-c", script]));
  }

  /** Starts capture-peer.ts and resolves once it listens. `uid` is its user and group. */
  async listen(uid: number, ...places: readonly string[]): Promise<void> {
    const child = spawn("ip", ["netns", "exec", this.name, process.execPath, PEER, String(uid), ...places], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#children.push(child);
    const lines = createInterface(child.stdout ?? process.stdin);
    const [line] = (await Promise.race([once(lines, "line"), once(child, "exit").then(() => ["exited"])])) as [string];
    if (line !== "listening") throw new Error(`the peer in ${this.name} does not listen: ${line}`);
  }

  /** What a server answers to a connection (or a datagram) from here, or `nothing`. `uid` is the client's user and group. */
  ask(protocol: "tcp" | "udp", address: string, port: number, uid = 1000): string {
    const script = `exec 3<>/dev/${protocol}/${address}/${port}; ${protocol === "udp" ? "echo question >&3; " : ""}head -n 1 <&3`;
    const args = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "timeout", "2", "bash", "-c", script];
    return this.run("setpriv", args).stdout.trim() || "nothing";
  }

  /** What a UDP server answers to a question from one source port, or `nothing`. `uid` is the client's user and group. */
  askFrom(sourcePort: number, address: string, port: number, uid = 1000): string {
    const script = `
      process.setgroups([]); process.setgid(${uid}); process.setuid(${uid});
      const socket = require("node:dgram").createSocket("udp4").on("message", (answer) => { console.log(String(answer)); socket.close(); });
      socket.bind(${sourcePort}, () => socket.send("question", ${port}, "${address}"));
      setTimeout(() => process.exit(), 2000).unref();`;
    return this.run(process.execPath, ["-e", script]).stdout.trim() || "nothing";
  }

  /** Every rule of both backends and families, without counters and times. */
  rules(): string {
    const programs = ["iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"];
    return programs
      .map(
        (program) =>
          `${program}\n${this.run(program, [])
            .stdout.replace(/^#.*\n/gm, "")
            .replace(/\[\d+:\d+\]/g, "[0:0]")}`,
      )
      .join("");
  }

  async remove(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
    }
    spawnSync("ip", ["netns", "del", this.name]);
  }
}

/** A test that was killed outright could not remove its own. */
function removeThoseOfDeadTests(): void {
  for (const name of existsSync(NAMES) ? readdirSync(NAMES) : []) {
    const pid = /^mctl-t(\d+)-\d+$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) spawnSync("ip", ["netns", "del", name]);
  }
}

function must(result: {
  readonly status?: number | null;
  readonly code?: number | null;
  readonly stdout: string;
  readonly stderr: string;
}): string {
  if ((result.status ?? result.code) !== 0) throw new Error(result.stderr || "failed without a word");
  return result.stdout;
}

export const POD = { v4: "10.77.0.2", v6: "fd77::2" };
export const WORLD = { v4: "10.77.0.1", v6: "fd77::1" };

export interface PodAndWorld extends AsyncDisposable {
  readonly pod: NetworkNamespace;
  readonly world: NetworkNamespace;
}

/** The pod's default route leads to the world, which has further addresses to be called at. */
export async function makePodAndWorld({ ipv6 = true }: { ipv6?: boolean } = {}): Promise<PodAndWorld> {
  const pod = new NetworkNamespace();
  let world: NetworkNamespace | undefined;
  const remove = async (): Promise<void> => {
    await pod.remove();
    await world?.remove();
  };
  try {
    world = new NetworkNamespace();
    const side = (device: string, own: typeof POD): string =>
      `ip addr add ${own.v4}/24 dev ${device}; ip link set lo up; ip link set ${device} up;` +
      (ipv6 ? `ip -6 addr add ${own.v6}/64 dev ${device} nodad` : `echo 1 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6`);
    pod.sh(`ip link add eth0 type veth peer name eth0 netns ${world.name}; ${side("eth0", POD)}`);
    world.sh(`${side("eth0", WORLD)}; ip addr add 10.88.0.1/32 dev lo; ip -6 addr add fd88::1/128 dev lo`);
    pod.sh(`ip route add default via ${WORLD.v4};${ipv6 ? `ip -6 route add default via ${WORLD.v6}` : ""}`);
    return { pod, world, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
