// Controllers and sidecars of a cluster as processes, in a network of this test's own: the API server double, an address
// that stands for the controller's Service, and pods' files where the kubelet would put them. Needs root.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Env, PodPath } from "../../src/xds/names.ts";
import { ApiServer } from "./api-server/api-server.ts";
import { eventually } from "./eventually.ts";

const MESHCTL = resolve(import.meta.dirname, "../../bin/meshctl");

export class ClusterProcess {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  log = "";

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], env });
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.log += text));
    this.exit = once(this.child, "exit").then(([code]) => code as number | null);
  }

  /** The first group, once something like it has been logged; processes take their time to start on a busy machine. */
  logs(pattern: RegExp, withinMs = 60_000): Promise<string> {
    return eventually(
      () => {
        const match = pattern.exec(this.log);
        if (match === null) throw new Error(`nothing like ${pattern} in:\n${this.log}`);
        return match[1] ?? "";
      },
      { withinMs },
    );
  }

  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.exit;
  }
}

export interface ControllerProcess extends ClusterProcess {
  readonly securePort: number;
  readonly monitoringPort: number;
}

export interface SidecarIdentity {
  readonly pod: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly token: string;
  readonly rootPem: string;
}

export class ClusterMesh {
  readonly api = new ApiServer();
  readonly #folder = mkdtempSync(join(tmpdir(), "meshctl-cluster-"));
  readonly #processes: ClusterProcess[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #service: Server;
  /** Ports behind the Service. */
  endpoints: readonly number[] = [];

  constructor() {
    this.#service = createServer((client) => this.#relay(client));
  }

  async start(): Promise<void> {
    await this.api.start();
    writeFileSync(join(this.#folder, "config"), this.api.kubeconfig());
    this.#service.listen(0, "127.0.0.1");
    await once(this.#service, "listening");
  }

  get serviceAddress(): string {
    return `127.0.0.1:${(this.#service.address() as AddressInfo).port}`;
  }

  /** Resolves once it serves. */
  async controller(...flags: readonly string[]): Promise<ControllerProcess> {
    const any = "127.0.0.1:0";
    const process = new ClusterProcess(MESHCTL, [
      ...["controller", "--kubeconfig", join(this.#folder, "config"), "--xds-address", "none", "--log-format", "text"],
      ...["--secure-address", any, "--monitoring-address", any, ...flags],
    ]);
    this.#processes.push(process);
    const securePort = Number(await process.logs(/serving \d+ services .*secure=127\.0\.0\.1:(\d+)/));
    const monitoringPort = Number(await process.logs(/serving \d+ services .*monitoring=127\.0\.0\.1:(\d+)/));
    return Object.assign(process, { securePort, monitoringPort });
  }

  sidecar({ pod, namespace, serviceAccount, token, rootPem }: SidecarIdentity): ClusterProcess {
    const files = mkdtempSync(join(this.#folder, "pod-"));
    writeFileSync(join(files, "token"), token);
    writeFileSync(join(files, "roots"), rootPem);
    const mount = (from: string, to: string): string => `mkdir -p $(dirname ${to}); cp ${join(files, from)} ${to}`;
    const script = [
      "mount -t tmpfs none /run",
      mount("token", PodPath.token),
      mount("roots", PodPath.rootCertificate),
      `exec ${MESHCTL} proxy sidecar --dns-upstream none --log-format text`,
    ];
    const process_ = new ClusterProcess("unshare", ["--mount", "sh", "-e", "-c", script.join("\n")], {
      PATH: process.env.PATH,
      [Env.podName]: pod,
      [Env.podNamespace]: namespace,
      [Env.serviceAccount]: serviceAccount,
      [Env.instanceIp]: "127.0.0.1",
      [Env.discoveryAddress]: this.serviceAddress,
      [Env.caAddress]: this.serviceAddress,
    });
    this.#processes.push(process_);
    return process_;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((each) => each.end()));
    for (const each of this.#sockets) each.destroy();
    this.#service.close();
    await this.api.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** As kube-proxy: one endpoint for each connection, which stays until it ends. */
  #relay(client: Socket): void {
    this.#sockets.add(client);
    const port = this.endpoints[Math.floor(Math.random() * this.endpoints.length)];
    if (port === undefined) return void client.resetAndDestroy();
    const server = connect(port, "127.0.0.1");
    this.#sockets.add(server);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => {
        other.destroy();
        this.#sockets.delete(one);
      });
      one.pipe(other);
    }
  }
}
