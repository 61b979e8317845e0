// The image without a container builder: a folder in which every step of the Dockerfile was performed, and processes
// in it as a container runtime would start them. Needs root, mmdebstrap and Debian's mirror.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { isInContext, parseCopy, parseDockerfile } from "./dockerfile.ts";
import type { Copy, Instruction } from "./dockerfile.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const SOURCES = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
const STEP_TIMEOUT_MS = 240_000;

/** What a container runtime does: own /proc and /dev, the kubelet's resolv.conf, a read-only root; then the rest of `$@` in it. */
const CONTAINER = `
root=$1; shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
echo "nameserver 10.96.0.10" > "$root/etc/resolv.conf"
mount -t tmpfs -o mode=755 dev "$root/dev"
for each in null zero full random urandom; do : > "$root/dev/$each"; mount --bind "/dev/$each" "$root/dev/$each"; done
for each in $SHOWN; do mount --bind "$each" "$root/mnt"; mount -o remount,bind,ro "$root/mnt"; done
mount -o remount,ro "$root/dev"
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"`;

export interface Rights {
  readonly user: string;
  /** Such as `net_admin`; all others are gone for good. */
  readonly capabilities?: readonly string[];
  /** Network namespace; the machine's own without. */
  readonly netns?: string;
  /** Folder that is shown read-only at /mnt. */
  readonly shown?: string;
}

/** Why the image can't be made here; undefined where it can. */
export function whyNoImage(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "the pinned Node of another architecture is not here";
  if (process.getuid?.() !== 0) return "needs root";
  if (spawnSync("mmdebstrap", ["--version"]).status !== 0) return "mmdebstrap is not installed";
  const text = SOURCES.filter((each) => existsSync(each)).map((each) => readFileSync(each, "utf8"));
  return text.some((each) => each.includes(suite())) ? undefined : `no mirror of Debian ${suite()} is set up here`;
}

function dockerfile(): ReturnType<typeof parseDockerfile> {
  return parseDockerfile(readFileSync(join(ROOT, "Dockerfile"), "utf8"));
}

function suite(): string {
  const from = dockerfile().find(({ name }) => name === "FROM")?.text ?? "";
  const name = /^debian:(\w+)-slim$/.exec(from)?.[1];
  if (name === undefined) throw new Error(`FROM ${from}: only debian:<suite>-slim can be made by mmdebstrap`);
  return name;
}

export class ImageRoot implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "meshctl-image-"));
  readonly labels = new Map<string, string>();
  readonly #env: string[] = [];
  readonly #children: ChildProcess[] = [];
  user = "0:0";
  entrypoint: readonly string[] = [];

  constructor() {
    chmodSync(this.folder, 0o755);
    const steps = dockerfile();
    const ownFrom = steps.findLastIndex(({ name }) => name === "RUN") + 1;
    try {
      this.#makeBase(steps.slice(0, ownFrom).filter(({ name }) => name === "FROM" || name === "RUN"));
      for (const [index, { name, text }] of steps.entries())
        if (index >= ownFrom || !(name === "FROM" || name === "RUN")) this.#perform(name, text);
    } catch (error) {
      rmSync(this.folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** What is fetched: kept until the steps are others, as a builder keeps its layers. */
  #makeBase(steps: readonly Instruction[]): void {
    const digest = createHash("sha256").update(JSON.stringify(steps)).digest("hex").slice(0, 16);
    const kept = join(ROOT, "node_modules/.cache", `image-${digest}.tar`);
    const tar = (...args: readonly string[]): void => {
      const { status, stderr } = spawnSync("tar", ["-C", this.folder, "--numeric-owner", ...args], { encoding: "utf8" });
      if (status !== 0) throw new Error(stderr);
    };
    if (existsSync(kept)) return tar("-xpf", kept);
    for (const { name, text } of steps) this.#perform(name, text);
    mkdirSync(dirname(kept), { recursive: true });
    tar("-cf", `${kept}.${process.pid}`, ".");
    renameSync(`${kept}.${process.pid}`, kept);
  }

  #perform(name: string, text: string): void {
    const step = (program: string, args: readonly string[]): void => {
      const { status, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: STEP_TIMEOUT_MS });
      if (status !== 0) throw new Error(`${name} ${text}: ${stderr.trim().split("\n").slice(-5).join("\n")}`);
    };
    if (name === "FROM") {
      const sources = SOURCES.find((each) => existsSync(each) && readFileSync(each, "utf8").includes(suite()))!;
      step("mmdebstrap", ["--quiet", "--variant=apt", suite(), this.folder, sources]);
    } else if (name === "RUN") {
      cpSync("/etc/resolv.conf", join(this.folder, "etc/resolv.conf"));
      step("unshare", ["--mount", "sh", "-e", "-c", 'mount -t proc proc "$1/proc"; exec chroot "$1" sh -c "$2"', "sh", this.folder, text]);
      rmSync(join(this.folder, "etc/resolv.conf"));
    } else if (name === "COPY") this.#copy(parseCopy(text));
    else if (name === "ENV") this.#env.push(text);
    else if (name === "USER") this.user = text;
    else if (name === "ENTRYPOINT") this.entrypoint = JSON.parse(text) as string[];
    else if (name === "LABEL") {
      const [key = "", value = ""] = text.split("=");
      this.labels.set(key, JSON.parse(value) as string);
    }
  }

  #copy({ mode, sources, target }: Copy): void {
    const ignore = readFileSync(join(ROOT, ".dockerignore"), "utf8");
    for (const source of sources) {
      if (!isInContext(source, ignore)) throw new Error(`COPY ${source}: .dockerignore leaves it out`);
      const to = join(this.folder, target.endsWith("/") ? join(target, basename(source)) : target);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(join(ROOT, source), to, { recursive: true, dereference: true });
      const all = statSync(to).isDirectory() ? readdirSync(to, { recursive: true }).map((each) => join(to, String(each))) : [];
      for (const each of [to, ...all]) chmodSync(each, mode);
    }
  }

  /** Starts a program in the image; `command` without the entry point's is what a pod calls `args`. */
  start(command: readonly string[], { user, capabilities = [], netns, shown }: Rights): ChildProcess {
    const [uid = "0", gid = uid] = user.split(":");
    const bounding = ["-all", ...capabilities.map((each) => `+${each}`)].join(",");
    const rights = [
      `--reuid=${uid}`,
      `--regid=${gid}`,
      "--clear-groups",
      "--no-new-privs",
      "--inh-caps=-all",
      `--bounding-set=${bounding}`,
    ];
    const inside = ["setpriv", ...rights, "env", "-i", ...this.#env, ...command];
    const outside = netns === undefined ? [] : ["ip", "netns", "exec", netns];
    const [program, ...args] = [...outside, "unshare", "--mount", "sh", "-e", "-c", CONTAINER, "sh", this.folder, ...inside];
    const child = spawn(program!, args, { env: { ...process.env, SHOWN: shown ?? "" }, stdio: ["ignore", "pipe", "pipe"] });
    this.#children.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((done) => child.once("exit", done));
      if (child.kill("SIGKILL")) await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
