// Talks to a pod of a local mesh from outside: to its app, which makes calls in its name, and to its sidecar's admin.
import assert from "node:assert/strict";
import http from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { connectToPod, findMesh, type MeshInfo, type PodInfo } from "../../../src/local/run-folder.ts";

/** What an HTTP call of an app brought; status 0 and the error's code where nothing came. */
export interface CallResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly error?: string;
}

/** The echo of a request, as the app that answered saw it. */
export interface Echo {
  readonly pod: string;
  readonly version: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
}

export interface Call {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** On a connection of its own. */
  readonly fresh?: boolean;
  readonly timeoutMs?: number;
  readonly family?: 0 | 4 | 6;
}

export interface Talk {
  readonly host: string;
  readonly port: number;
  readonly say?: string;
  /** Doesn't wait for the greeting. */
  readonly speaksFirst?: boolean;
  readonly family?: 0 | 4 | 6;
  readonly timeoutMs?: number;
}

export function runningMesh(name: string): MeshInfo {
  const mesh = findMesh(name);
  assert.ok(mesh !== undefined && mesh.phase !== "dead", `mesh ${name} is not running`);
  return mesh;
}

export function podsOf(meshName: string, owner: string): PodInfo[] {
  return runningMesh(meshName).pods.filter((pod) => pod.owner.name === owner && pod.phase !== "Terminating");
}

/** The only pod of the owner. */
export function podOf(meshName: string, owner: string): PodInfo {
  const [pod, ...others] = podsOf(meshName, owner);
  assert.ok(pod !== undefined && others.length === 0, `${owner} has ${others.length + (pod === undefined ? 0 : 1)} pods`);
  return pod;
}

class PodAgent extends http.Agent {
  readonly #connect: () => Promise<Duplex>;

  constructor(connect: () => Promise<Duplex>) {
    super({ keepAlive: true, maxSockets: 32 });
    this.#connect = connect;
  }

  override createConnection(_options: unknown, done?: (error: Error | null, socket: Duplex) => void): undefined {
    this.#connect().then(
      (socket) => done?.(null, socket),
      (error: Error) => done?.(error, undefined as unknown as Duplex),
    );
    return undefined;
  }
}

/** A port on the loopback of one pod: nothing of this passes a sidecar. */
export class PodPort {
  readonly #agent: http.Agent;

  constructor(meshName: string, pod: PodInfo, port: number) {
    this.#agent = new PodAgent(() => connectToPod(runningMesh(meshName), pod, port));
  }

  /** @throws unless it answers 200 within 10 s. */
  request(path: string, method = "GET", body = ""): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { agent: this.#agent, host: "pod", path, method, signal: AbortSignal.timeout(10_000) };
      const request = http.request(options, (response) => {
        text(response).then((answer) => {
          if (response.statusCode === 200) resolve(answer);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
        }, reject);
      });
      request.on("error", reject).end(body);
    });
  }

  async json<T>(path: string): Promise<T> {
    return JSON.parse(await this.request(path)) as T;
  }

  async #command<T>(path: string, jobs: readonly unknown[]): Promise<T[]> {
    return JSON.parse(await this.request(path, "POST", JSON.stringify(jobs))) as T[];
  }

  /** All at the same time. */
  callAll(calls: readonly Call[]): Promise<CallResult[]> {
    return this.#command("/call", calls);
  }

  async call(call: Call): Promise<CallResult> {
    return (await this.callAll([call]))[0]!;
  }

  /** @throws unless the other app answers 200. */
  async echo(call: Call): Promise<Echo> {
    const result = await this.call(call);
    assert.equal(result.status, 200, JSON.stringify(result));
    return JSON.parse(result.body) as Echo;
  }

  async talk(talk: Talk): Promise<{ text: string; error?: string }> {
    return (await this.#command<{ text: string; error?: string }>("/talk", [talk]))[0]!;
  }

  async resolve(name: string, type: "A" | "AAAA"): Promise<{ addresses?: string[]; error?: string }> {
    return (await this.#command<{ addresses?: string[]; error?: string }>("/resolve", [{ name, type }]))[0]!;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Ports of a mesh's pods that one test file opens, and closes together. */
export class PodPorts {
  readonly #meshName: string;
  readonly #opened: PodPort[] = [];

  constructor(meshName: string) {
    this.#meshName = meshName;
  }

  /** On the only pod of the owner. */
  open(owner: string, port: number): PodPort {
    return this.openOn(podOf(this.#meshName, owner), port);
  }

  openOn(pod: PodInfo, port: number): PodPort {
    const opened = new PodPort(this.#meshName, pod, port);
    this.#opened.push(opened);
    return opened;
  }

  close(): void {
    for (const each of this.#opened) each.close();
  }
}
