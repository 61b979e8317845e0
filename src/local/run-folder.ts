// What a running local mesh keeps on disk, and how to read it: the one file of the local mesh that the CLI knows.
// `up` and the supervisor write these files (always whole, by rename); everybody else only reads.
import { readdirSync, readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { UserError } from "../common/user-error.ts";
import { isAlive, parseProcessIdentity, type ProcessIdentity } from "./process-identity.ts";

export type MeshPhase = "starting" | "ready" | "degraded" | "stopping" | "dead";
export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Terminating";

/** mesh.json: written by `meshctl local up` before anything runs. */
export interface MeshRecord {
  readonly name: string;
  readonly version: string;
  readonly createdAt: string;
  /** The `up` that starts it; until there is a sandbox, the mesh lives as long as this process. */
  readonly starter: ProcessIdentity;
  /** Needs `nsenter --user`: the mesh was started without root. */
  readonly rootless: boolean;
  /** Absolute paths of the files and folders that it runs. */
  readonly sources: readonly string[];
  readonly published: readonly PublishedPort[];
  /** Longest life of the workloads' certificates; absent: the control plane's own. */
  readonly workloadCertTtlMs?: number;
}

export interface PublishedPort {
  readonly service: string;
  readonly namespace: string;
  readonly port: number;
  readonly hostPort: number;
}

/** status.json: the supervisor's view, rewritten at every change. */
export interface MeshStatus {
  readonly phase: "starting" | "ready" | "degraded" | "stopping";
  readonly pods: readonly PodInfo[];
  /** The real control plane, reachable like a pod (monitoring port 15014). */
  readonly controller?: PodInfo;
  /** What is wrong with the user's files now, each with file and line; empty when all is well. */
  readonly problems: readonly string[];
  /** What was said once and still holds: unsupported fields, images not pulled. */
  readonly warnings: readonly string[];
}

export interface PodInfo {
  readonly name: string;
  readonly namespace: string;
  /** First address (IPv4); `ips` has all. Empty until the pod has its network. */
  readonly ip: string;
  readonly ips: readonly string[];
  /** The controlling object as a person knows it: Deployment, or Pod for a bare one. */
  readonly owner: { readonly kind: string; readonly name: string };
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly meshed: boolean;
  readonly phase: PodPhase;
  /** All containers ready, the sidecar among them. */
  readonly ready: boolean;
  /** Sum over the containers. */
  readonly restarts: number;
  readonly createdAt: string;
  readonly containers: readonly ContainerInfo[];
  /** What keeps it from running, when something does. */
  readonly message?: string;
  /** Unix socket that leads to any port on the pod's loopback; see connectToPod. */
  readonly socketPath: string;
}

export interface ContainerInfo {
  readonly name: string;
  readonly kind: "init" | "sidecar" | "app";
  /** As kubectl shows it: Waiting, Running, Completed, Error, CrashLoopBackOff. */
  readonly state: string;
  readonly ready: boolean;
  readonly restarts: number;
  /** As the sandbox's PID namespace numbers it; absent when it doesn't run. */
  readonly pid?: number;
  readonly logPath: string;
  /** Log of the run before the last restart. */
  readonly previousLogPath: string;
  /** How its last run ended, such as "exit code 1"; absent while it is the first. */
  readonly lastEnd?: string;
  /** Why it isn't running or ready, in a few words. */
  readonly message?: string;
}

export interface MeshInfo extends MeshRecord {
  readonly folder: string;
  /** First process of the sandbox's PID namespace, as the host numbers it. All its namespaces are the sandbox's. */
  readonly sandbox?: ProcessIdentity;
  readonly phase: MeshPhase;
  readonly pods: readonly PodInfo[];
  readonly controller?: PodInfo;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export const DEFAULT_MESH_NAME = "default";

/** Where run folders are: /run/meshctl for root, $XDG_RUNTIME_DIR/meshctl (else /tmp/meshctl-<uid>) for others. */
export function runFoldersRoot(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return "/run/meshctl";
  const runtime = env["XDG_RUNTIME_DIR"];
  return runtime !== undefined && runtime.startsWith("/") ? join(runtime, "meshctl") : `/tmp/meshctl-${uid}`;
}

/** The files of one run folder. */
export function runPaths(folder: string) {
  return {
    record: join(folder, "mesh.json"),
    /** Line of /proc/<pid>/stat that the sandbox's first process wrote about itself. */
    sandbox: join(folder, "sandbox.stat"),
    status: join(folder, "status.json"),
    control: join(folder, "control.sock"),
    sockets: join(folder, "s"),
    objects: join(folder, "objects"),
    logs: join(folder, "logs"),
    authority: join(folder, "ca"),
    tokenKeys: join(folder, "token-keys.json"),
    supervisorLog: join(folder, "supervisor.log"),
    /** As `sandbox`, of the process that listens on the published ports. */
    publisher: join(folder, "publisher.stat"),
    publisherLog: join(folder, "publisher.log"),
  } as const;
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Undefined until the sandbox has started. */
export function readSandboxIdentity(folder: string): ProcessIdentity | undefined {
  return readIdentity(runPaths(folder).sandbox);
}

/** Undefined where nothing is published, and until the publisher has started. */
export function readPublisherIdentity(folder: string): ProcessIdentity | undefined {
  return readIdentity(runPaths(folder).publisher);
}

function readIdentity(path: string): ProcessIdentity | undefined {
  try {
    return parseProcessIdentity(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Undefined where no such mesh was started, or where its folder holds nothing readable. */
export function findMesh(name: string, env?: Readonly<Record<string, string | undefined>>): MeshInfo | undefined {
  const folder = join(runFoldersRoot(env), name);
  const record = readJson<MeshRecord>(runPaths(folder).record);
  if (record === undefined) return undefined;
  const sandbox = readSandboxIdentity(folder);
  // Before the sandbox exists, the `up` that starts it stands for it.
  const alive = isAlive(sandbox ?? record.starter);
  const status = readJson<MeshStatus>(runPaths(folder).status);
  return {
    ...record,
    folder,
    sandbox,
    phase: alive ? (status?.phase ?? "starting") : "dead",
    pods: alive ? (status?.pods ?? []) : [],
    controller: alive ? status?.controller : undefined,
    problems: status?.problems ?? [],
    warnings: status?.warnings ?? [],
  };
}

/** Every mesh of this user, dead ones too, by name. */
export function listMeshes(env?: Readonly<Record<string, string | undefined>>): MeshInfo[] {
  let names: string[];
  try {
    names = readdirSync(runFoldersRoot(env)).sort();
  } catch {
    return [];
  }
  return names.map((name) => findMesh(name, env)).filter((mesh) => mesh !== undefined);
}

/**
 * The running mesh that a command means: the named one, or the only one.
 * @throws UserError when there is none, when the named one doesn't run, or when several do and none was named.
 */
export function readMesh(name?: string, env?: Readonly<Record<string, string | undefined>>): MeshInfo {
  const running = listMeshes(env).filter((mesh) => mesh.phase !== "dead");
  const names = running.map((mesh) => mesh.name).join(", ");
  if (name !== undefined) {
    const found = running.find((mesh) => mesh.name === name);
    if (found !== undefined) return found;
    throw new UserError(
      `no local mesh named ${name} is running`,
      names === "" ? `start it: meshctl local up --name ${name}` : `running: ${names}`,
    );
  }
  const [only, ...others] = running;
  if (only === undefined) throw new UserError("no local mesh is running", "start one: meshctl local up");
  if (others.length > 0) throw new UserError("several local meshes are running", `choose one with --name: ${names}`);
  return only;
}

const GREETING_LIMIT = 1024;

/**
 * Connects to a port on the pod's loopback, as the API server's port-forward does.
 * The mesh's side of the unix socket reads `<port>\n`, answers `OK\n` or `ERR <reason>\n`, then relays bytes.
 * @returns a connected socket; the caller owns it.
 */
export function connectToPod(mesh: MeshInfo, pod: PodInfo, port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new UserError(`cannot reach port ${port} of pod ${pod.name}.${pod.namespace} in mesh ${mesh.name}: ${reason}`));
    };
    const socket = net.connect({ path: pod.socketPath, allowHalfOpen: true });
    let greeting = Buffer.alloc(0);
    const onError = (error: Error): void => fail(error.message);
    const onEnd = (): void => fail("the mesh closed the connection");
    const onReadable = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        greeting = Buffer.concat([greeting, chunk]);
        const end = greeting.indexOf(10);
        if (end < 0 && greeting.length < GREETING_LIMIT) continue;
        const line = greeting.toString("latin1", 0, end);
        if (line !== "OK") return fail(line.replace(/^ERR /, ""));
        socket.off("readable", onReadable).off("error", onError).off("end", onEnd);
        const rest = greeting.subarray(end + 1);
        if (rest.length > 0) socket.unshift(rest);
        return resolve(socket);
      }
    };
    socket.on("readable", onReadable).on("error", onError).on("end", onEnd);
    socket.on("connect", () => socket.write(`${port}\n`));
  });
}
