// The control plane of a local mesh: the real `meshctl controller`, in a network namespace of its own on the bridge.
// It reads the user's YAML itself, so it runs with the sandbox's own view of the files.
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import type { Server } from "node:net";
import { join } from "node:path";
import { MESH_NAMESPACE, Port } from "../xds/names.ts";
import type { AddressPair } from "./network/address-pool.ts";
import { ContainerLog } from "./pod/container-log.ts";
import { ContainerProcess } from "./pod/container-process.ts";
import { NetworkNamespace } from "./network/namespace-socket.ts";
import type { Network } from "./network/network.ts";
import { openPodSocket } from "./network/pod-socket.ts";
import { SYSTEM_PATH } from "./prerequisites.ts";
import { runPaths, type PodInfo } from "./run-folder.ts";
import { RUNTIME_FOLDER } from "./sandbox.ts";

export const CONTROLLER_NAME = "controller";
/** Name that sidecars know it by; every pod's /etc/hosts has it. */
export const CONTROLLER_HOST = `${CONTROLLER_NAME}.${MESH_NAMESPACE}.svc`;
/** What the mesh is called in metrics. */
export const CLUSTER_ID = "local";
const ROOT_CERTIFICATE = "root-cert.pem";
const READY_POLL_MS = 50;

export interface ControllerOptions {
  readonly runFolder: string;
  readonly sources: readonly string[];
  readonly trustDomain: string;
  readonly workloadCertTtlMs: number | undefined;
  readonly network: Network;
  readonly address: AddressPair;
  readonly onChange: () => void;
}

export class ControllerProcess {
  readonly #options: ControllerOptions;
  readonly #socketPath: string;
  readonly #log: ContainerLog;
  readonly #createdAt = new Date().toISOString();
  #process: ContainerProcess | undefined;
  #namespace: NetworkNamespace | undefined;
  #socket: Server | undefined;
  #ready = false;
  #problems: readonly string[] = [];
  #stopped = false;
  #announceReady: () => void = () => undefined;
  /** Resolves when it first serves. */
  readonly ready = new Promise<void>((resolve) => (this.#announceReady = resolve));

  constructor(options: ControllerOptions) {
    this.#options = options;
    const paths = runPaths(options.runFolder);
    this.#socketPath = join(paths.sockets, "controller.sock");
    this.#log = new ContainerLog(join(paths.logs, `${MESH_NAMESPACE}_${CONTROLLER_NAME}.log`));
  }

  get addresses(): string[] {
    return this.#options.network.addresses(this.#options.address);
  }

  /** Contents of the root certificate that sidecars first trust; undefined before the controller has made it. */
  rootCertificate(): string | undefined {
    const path = join(runPaths(this.#options.runFolder).authority, ROOT_CERTIFICATE);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }

  async start(): Promise<void> {
    const { network, address, runFolder } = this.#options;
    await network.addPod(CONTROLLER_NAME, address);
    this.#namespace = new NetworkNamespace(`/run/netns/${CONTROLLER_NAME}`);
    this.#socket = await openPodSocket(this.#socketPath, this.#namespace);
    this.#process = new ContainerProcess({
      commandLine: ["nsenter", `--net=/run/netns/${CONTROLLER_NAME}`, `${RUNTIME_FOLDER}/bin/meshctl`, "controller", ...this.#arguments()],
      environment: { PATH: SYSTEM_PATH, HOME: runFolder },
      log: this.#log,
      onChange: this.#options.onChange,
    });
    this.#process.onEnd = () => {
      this.#ready = false;
      void this.#watchReadiness();
    };
    this.#process.start();
    void this.#watchReadiness();
  }

  #arguments(): string[] {
    const { runFolder, sources, trustDomain, workloadCertTtlMs: ttlMs } = this.#options;
    const paths = runPaths(runFolder);
    // Objects of the later folders replace those of the same name before: the mesh's Services have their addresses.
    const folders = [...sources, paths.objects].flatMap((folder) => ["--source", folder]);
    const names = [CONTROLLER_HOST, `${CONTROLLER_HOST}.cluster.local`, ...this.addresses].flatMap((name) => ["--tls-san", name]);
    return [
      ...folders,
      ...["--ca-dir", paths.authority, "--token-issuer-keys", paths.tokenKeys, "--trust-domain", trustDomain, "--cluster-id", CLUSTER_ID],
      ...["--xds-address", `127.0.0.1:${Port.xdsPlaintext}`, "--secure-address", `[::]:${Port.xdsSecure}`],
      ...["--monitoring-address", `127.0.0.1:${Port.monitoring}`],
      ...names,
      ...(ttlMs === undefined ? [] : ["--workload-cert-ttl", `${ttlMs}ms`]),
    ];
  }

  async #watchReadiness(): Promise<void> {
    while (!this.#ready && !this.#stopped) {
      if ((await this.#isServing()) && this.rootCertificate() !== undefined) {
        this.#ready = true;
        this.#announceReady();
        this.#options.onChange();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }

  async #isServing(): Promise<boolean> {
    return (await this.#get("/ready")) !== undefined;
  }

  /** What the controller refuses in the YAML now, as `file:line:column: …`; what it last said while it doesn't answer. */
  async problems(): Promise<readonly string[]> {
    const text = await this.#get("/debug/problems");
    if (text !== undefined) {
      const problems = JSON.parse(text) as {
        file: string;
        line: number;
        column: number;
        object?: string;
        field?: string;
        message: string;
      }[];
      this.#problems = problems.map(({ file, line, column, object, field, message }) =>
        [`${file}:${line}:${column}`, object, field, message].filter((each) => each !== undefined && each !== "").join(": "),
      );
    }
    return this.#problems;
  }

  /** Body of a successful answer of its monitoring port. */
  #get(path: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      try {
        const socket = this.#namespace?.connect("127.0.0.1", Port.monitoring);
        if (socket === undefined) return resolve(undefined);
        const request = http.get({ createConnection: () => socket, path, timeout: 1000 }, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
          response.on("end", () => {
            resolve(response.statusCode === 200 ? text : undefined);
            socket.destroy();
          });
        });
        request.on("timeout", () => request.destroy(new Error("no answer")));
        request.on("error", () => resolve(undefined));
      } catch {
        resolve(undefined);
      }
    });
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    await this.#process?.stop(graceMs);
    this.#socket?.close();
    this.#namespace?.close();
  }

  trimLogs(): void {
    this.#log.trim();
  }

  get failure(): string | undefined {
    return this.#process?.state === "CrashLoopBackOff" ? `the controller keeps ending (${this.#process.message ?? ""})` : undefined;
  }

  info(): PodInfo {
    const process = this.#process;
    const container = {
      name: CONTROLLER_NAME,
      kind: "app" as const,
      state: process?.state ?? "Waiting",
      ready: this.#ready,
      restarts: process?.restarts ?? 0,
      pid: process?.pid,
      logPath: this.#log.path,
      previousLogPath: this.#log.previousPath,
      lastEnd: process?.lastEnd,
      message: process?.message,
    };
    return {
      name: CONTROLLER_NAME,
      namespace: MESH_NAMESPACE,
      ip: this.addresses[0] ?? "",
      ips: this.addresses,
      owner: { kind: "Deployment", name: CONTROLLER_NAME },
      labels: { app: CONTROLLER_NAME },
      serviceAccount: CONTROLLER_NAME,
      meshed: false,
      phase: this.#ready ? "Running" : "Pending",
      ready: this.#ready,
      restarts: container.restarts,
      createdAt: this.#createdAt,
      containers: [container],
      message: this.failure,
      socketPath: this.#socketPath,
    };
  }
}
