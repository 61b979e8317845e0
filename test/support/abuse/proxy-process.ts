// `meshctl proxy` as a process of its own whose memory and descriptors are watched from outside.
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { eventually } from "../eventually.ts";
import { address } from "../proxy-plane.ts";
import type { Json } from "../proxy-plane.ts";

const HEAP_ANSWER = join(import.meta.dirname, "heap-answer.mjs");
const MESHCTL = resolve(import.meta.dirname, "../../../bin/meshctl");
const SAMPLE_MS = 50;
/** USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const MAX_LOG_CHARS = 20_000;
const HEAP_FILE = "heap.json";

interface HeapAnswer {
  readonly count: number;
  readonly heapUsed: number;
  readonly external: number;
}

export class ProxyProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #adminPort: number;
  readonly #inside: readonly string[];
  readonly #sampler: NodeJS.Timeout;
  #log = "";
  #peakMb = 0;
  #collections = 0;

  private constructor(child: ChildProcess, folder: string, adminPort: number, inside: readonly string[]) {
    this.#child = child;
    this.#folder = folder;
    this.#adminPort = adminPort;
    this.#inside = inside;
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.#log = (this.#log + text).slice(-MAX_LOG_CHARS)));
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /**
   * Starts it and resolves once its admin port is open.
   * @param inside run in front of the command, such as `ip netns exec NAME`; the proxy must take its place.
   */
  static async start(bootstrap: Json, inside: readonly string[]): Promise<ProxyProcess> {
    const folder = mkdtempSync(join(tmpdir(), "meshctl-abuse-"));
    const [adminPort] = (await freePorts(1)) as [number];
    const file = join(folder, "bootstrap.json");
    writeFileSync(file, JSON.stringify({ ...bootstrap, admin: { address: address(adminPort) } }));
    const command = [...inside, MESHCTL, "proxy", "--bootstrap", file];
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        ...process.env,
        MESHCTL_NO_BUILD: "1",
        NODE_OPTIONS: `--import=${HEAP_ANSWER}`,
        MESHCTL_TEST_HEAP_FILE: join(folder, HEAP_FILE),
      },
    });
    const proxy = new ProxyProcess(child, folder, adminPort, inside);
    try {
      await eventually(() => proxy.#assertReady(), { withinMs: 60_000 });
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
    return proxy;
  }

  #assertReady(): void {
    this.assertRuns();
    // The last socket that it opens; the table is that of the process's own network namespace.
    const listening = `:${this.#adminPort.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 0A `;
    const table = readFileSync(`/proc/${this.#child.pid}/net/tcp`, "latin1");
    if (!table.includes(listening)) throw new Error(`the proxy is not ready; it printed:\n${this.#log}`);
  }

  assertRuns(): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null)
      throw new Error(`the proxy has ended (${this.#child.exitCode ?? this.#child.signalCode}); it printed:\n${this.#log}`);
  }

  /** Anonymous memory now. */
  rssAnonMb(): number {
    const kb = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, "latin1"))?.[1];
    return Number(kb) / 1024;
  }

  /** The most that was seen since the last call. */
  takePeakMb(): number {
    this.#sample();
    const peak = this.#peakMb;
    this.#peakMb = 0;
    return peak;
  }

  #sample(): void {
    try {
      this.#peakMb = Math.max(this.#peakMb, this.rssAnonMb());
    } catch {
      // It has ended; assertRuns tells.
    }
  }

  /** What the process holds on to: V8's heap and what hangs on it outside, after all garbage is collected. */
  async heldMb(): Promise<number> {
    this.#collections += 1;
    this.#child.kill("SIGUSR2");
    return eventually(
      () => {
        const { count, heapUsed, external } = JSON.parse(readFileSync(join(this.#folder, HEAP_FILE), "utf8")) as HeapAnswer;
        if (count !== this.#collections) throw new Error("the proxy has not collected its garbage");
        return (heapUsed + external) / 1024 / 1024;
      },
      { withinMs: 10_000 },
    );
  }

  /** User and system time so far. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** What its descriptors are, sorted: `socket`, `pipe`, a file's path. */
  descriptors(): string[] {
    const folder = `/proc/${this.#child.pid}/fd`;
    const kinds: string[] = [];
    for (const each of readdirSync(folder)) {
      try {
        kinds.push(readlinkSync(join(folder, each)).replace(/:\[\d+\]$/, ""));
      } catch {
        // Closed meanwhile.
      }
    }
    return kinds.sort();
  }

  /** Sum of the counters and gauges whose names match. */
  async stat(pattern: RegExp): Promise<number> {
    let sum = 0;
    for (const line of (await this.#ask("/stats")).split("\n")) {
      const [name = "", value = ""] = line.split(": ");
      if (pattern.test(name)) sum += Number(value);
    }
    return sum;
  }

  #ask(path: string): Promise<string> {
    return this.runBeside(["curl", "-s", "--max-time", "10", `http://127.0.0.1:${this.#adminPort}${path}`]);
  }

  /** Runs a program where the proxy runs; resolves to what it printed, however it ended. */
  runBeside(command: readonly string[]): Promise<string> {
    const [program, ...args] = [...this.#inside, ...command];
    return new Promise((done) => execFile(program!, args, (_error, stdout) => done(stdout)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sampler);
    if (this.#child.exitCode === null && this.#child.kill("SIGKILL")) await once(this.#child, "exit");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Ports of 127.0.0.1 that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
