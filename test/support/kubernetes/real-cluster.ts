// A real API server with its etcd, in a network namespace that the test process enters with it. There are no controllers
// and no nodes: what a test needs of them it does itself, with namespace() and its like here.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/common/clock.ts";
import { loadKubeconfig } from "../../../src/kube/cluster-config.ts";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { KubeObjects } from "../../../src/kube/objects.ts";
import { eventually } from "../eventually.ts";
import { selfSigned } from "../openssl.ts";
import { runProgram } from "../run-program.ts";
import type { ProgramResult } from "../run-program.ts";
import { asset } from "./assets.ts";
import { BoundedProgram } from "./bounded-program.ts";
import { enterOwnNetwork } from "./own-network.ts";

export interface TokenFor {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod?: string;
  readonly audience?: string;
}

export const API_SERVER = { host: "10.99.0.1", port: 6443 };
export const TOKEN_ISSUER = "https://kubernetes.default.svc.cluster.local";
const ETCD_URL = "http://127.0.0.1:2379";
const ADMIN_TOKEN = "admin-token";
/** Two busy cores need half a minute. */
const START_TIMEOUT_MS = 90_000;
const KUBECTL_TIMEOUT_MS = 60_000;

export class RealCluster {
  /** For everything that a test keeps in files. */
  readonly folder: string;
  /** Addresses of the namespace that nothing listens on yet. */
  readonly addresses: readonly string[];
  readonly #certificate: string;
  readonly #connections: ClusterConnection[] = [];
  readonly #remover: ChildProcess;
  #etcd: BoundedProgram | undefined;
  #server: BoundedProgram | undefined;

  private constructor() {
    const [, ...addresses] = enterOwnNetwork();
    this.addresses = addresses;
    this.folder = mkdtempSync(join(tmpdir(), "meshctl-cluster-"));
    // Pods of other users find their token in it; keys are readable to root alone.
    chmodSync(this.folder, 0o755);
    this.#remover = removesAtEnd(this.folder);
    const { certificate, key } = selfSigned(`IP:${API_SERVER.host},DNS:kubernetes.default.svc`);
    this.#certificate = certificate;
    const signing = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    for (const [name, text] of [
      ["server.crt", certificate],
      ["server.key", key],
      ["tokens.pub", signing.publicKey],
      ["tokens.key", signing.privateKey],
      ["users.csv", `${ADMIN_TOKEN},admin,admin,system:masters\n`],
    ] as const)
      writeFileSync(join(this.folder, name), text, { mode: 0o600 });
    writeFileSync(this.kubeconfig, this.kubeconfigText(ADMIN_TOKEN));
  }

  static async start(): Promise<RealCluster> {
    const cluster = new RealCluster();
    try {
      cluster.#etcd = new BoundedProgram(asset("etcd"), [
        `--data-dir=${join(cluster.folder, "etcd")}`,
        `--listen-client-urls=${ETCD_URL}`,
        `--advertise-client-urls=${ETCD_URL}`,
        "--unsafe-no-fsync",
        "--log-level=error",
      ]);
      await cluster.startServer();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Path of the administrator's. */
  get kubeconfig(): string {
    return join(this.folder, "kubeconfig");
  }

  kubeconfigText(token: string): string {
    const server = `https://${API_SERVER.host}:${API_SERVER.port}`;
    const ca = Buffer.from(this.#certificate).toString("base64");
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "real",
      clusters: [{ name: "real", cluster: { server, "certificate-authority-data": ca } }],
      users: [{ name: "user", user: { token } }],
      contexts: [{ name: "real", context: { cluster: "real", user: "user" } }],
    });
  }

  /** A connection of its own for each caller, closed with the cluster. @param path of a kubeconfig; undefined: the administrator's. */
  connect(path: string = this.kubeconfig): ClusterConnection {
    const connection = loadKubeconfig({ kubeconfig: path, context: undefined }, {});
    this.#connections.push(connection);
    return connection;
  }

  objects(path: string = this.kubeconfig): KubeObjects {
    return new KubeObjects({ connection: this.connect(path), clock: systemClock });
  }

  /** Starts the API server, again after stopServer(): what it knows is in etcd. */
  async startServer(): Promise<void> {
    const file = (name: string): string => join(this.folder, name);
    this.#server = new BoundedProgram(asset("kube-apiserver"), [
      `--etcd-servers=${ETCD_URL}`,
      `--bind-address=${API_SERVER.host}`,
      `--secure-port=${API_SERVER.port}`,
      `--tls-cert-file=${file("server.crt")}`,
      `--tls-private-key-file=${file("server.key")}`,
      `--cert-dir=${file("certs")}`,
      `--token-auth-file=${file("users.csv")}`,
      "--authorization-mode=Node,RBAC",
      `--service-account-issuer=${TOKEN_ISSUER}`,
      `--service-account-key-file=${file("tokens.pub")}`,
      `--service-account-signing-key-file=${file("tokens.key")}`,
      "--service-account-extend-token-expiration=false",
      "--service-cluster-ip-range=10.96.0.0/12,fd00:10:96::/112",
      // There is no kube-proxy: webhooks are called at the endpoints of their Service.
      "--enable-aggregator-routing=true",
      "--allow-privileged=true",
      "--profiling=false",
    ]);
    await eventually(
      async () => {
        this.#etcd?.assertRuns();
        this.#server?.assertRuns();
        const answer = await this.#ask("/readyz");
        if (answer !== "ok") throw new Error(`the API server is not ready: ${answer}`);
      },
      { withinMs: START_TIMEOUT_MS },
    );
  }

  async stopServer(): Promise<void> {
    await this.#server?.stop("SIGKILL");
  }

  async stop(): Promise<void> {
    for (const each of this.#connections) each.close();
    await this.#server?.stop("SIGKILL");
    await this.#etcd?.stop("SIGKILL");
    if (this.#remover.exitCode !== null) return;
    this.#remover.ref();
    const removed = once(this.#remover, "exit");
    this.#remover.stdin!.end();
    await removed;
  }

  /** PEM of the API server's. */
  get certificate(): string {
    return this.#certificate;
  }

  /** What a kubelet gets for a pod, or anybody for a service account. @param audience undefined: the API server itself. */
  async token({ namespace, serviceAccount, pod, audience }: TokenFor): Promise<string> {
    const bound = pod === undefined ? [] : ["--bound-object-kind=Pod", `--bound-object-name=${pod}`];
    const audiences = audience === undefined ? [] : [`--audience=${audience}`];
    const { code, stdout, stderr } = await this.kubectl(["create", "token", serviceAccount, "-n", namespace, ...bound, ...audiences]);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  }

  kubectl(args: readonly string[], input: string = ""): Promise<ProgramResult> {
    const cache = join(this.folder, "kubectl-cache");
    const all = ["--kubeconfig", this.kubeconfig, "--cache-dir", cache, ...args];
    return runProgram(asset("kubectl"), all, { input, timeoutMs: KUBECTL_TIMEOUT_MS });
  }

  async #ask(path: string): Promise<string> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const request = get({ ...API_SERVER, path, headers, ca: this.#certificate, agent: false, timeout: 5_000 });
    request.on("timeout", () => request.destroy(new Error("no answer within 5 s")));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += String(chunk);
    return text;
  }
}

/** A process that removes the folder when its standard input ends: by stop(), or because this process was killed. */
function removesAtEnd(folder: string): ChildProcess {
  // In a session of its own: Ctrl-C is not for it.
  const child = spawn("sh", ["-c", 'cat; rm -rf "$0"', folder], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  child.unref();
  (child.stdin as Socket).unref();
  return child;
}
