// A small cluster for the CLI: the API server double with pods whose sidecars and controllers are HTTP servers on loopback,
// reached by port-forwarding, and the real bin/meshctl run against it with a kubeconfig.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runMeshctl, type MeshctlResult } from "../run-meshctl.ts";
import { ApiServer } from "./api-server.ts";

/** What a port of a pod answers, by path with its query: text, or JSON of anything else; undefined: 404. */
export type Answers = (path: string) => unknown;

export interface PodDraft {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Default: none. */
  readonly owner?: { readonly kind: string; readonly name: string };
  /** Default: an app and our native sidecar. */
  readonly containers?: readonly string[];
  readonly initContainers?: readonly string[];
  /** Default: all containers run, and the pod is ready. */
  readonly status?: object;
  readonly isReady?: boolean;
  /** By port. */
  readonly ports?: Readonly<Record<number, Answers>>;
}

export class ClusterDouble {
  readonly api = new ApiServer();
  readonly folder = mkdtempSync(join(tmpdir(), "meshctl-cluster-"));
  readonly kubeconfig = join(this.folder, "kubeconfig");
  readonly #servers: http.Server[] = [];
  readonly #ports = new Map<string, number>();

  async start(): Promise<void> {
    await this.api.start();
    this.useContext("shop");
    for (const name of ["shop", "mesh-system"]) this.api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
    this.api.forward = (namespace, pod, port) => {
      const found = this.#ports.get(`${namespace}/${pod}:${port}`);
      return found === undefined ? undefined : { port: found };
    };
  }

  async stop(): Promise<void> {
    await this.api.stop();
    for (const each of this.#servers) {
      each.closeAllConnections();
      each.close();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The kubeconfig's context has this namespace from now on. */
  useContext(namespace: string | undefined, token = "t0ken"): void {
    const config = JSON.parse(this.api.kubeconfig({ token })) as { contexts: { context: object }[] };
    Object.assign(config.contexts[0]!.context, { namespace });
    writeFileSync(this.kubeconfig, JSON.stringify(config));
  }

  async addPod({ ports = {}, ...draft }: PodDraft): Promise<void> {
    const {
      name,
      namespace = "shop",
      labels = {},
      owner,
      containers = ["app"],
      initContainers = ["meshctl-init", "meshctl-proxy"],
    } = draft;
    const running = (each: string): object => ({ name: each, state: { running: {} } });
    const status = {
      phase: "Running",
      conditions: [{ type: "Ready", status: draft.isReady === false ? "False" : "True" }],
      containerStatuses: containers.map(running),
      initContainerStatuses: initContainers.map(running),
    };
    this.api.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace, labels, ...(owner === undefined ? {} : { ownerReferences: [{ ...owner, controller: true }] }) },
      spec: { containers: containers.map((each) => ({ name: each })), initContainers: initContainers.map((each) => ({ name: each })) },
      status: draft.status ?? status,
    });
    for (const [port, answers] of Object.entries(ports)) this.#ports.set(`${namespace}/${name}:${port}`, await this.#serve(answers));
  }

  addController(name: string, answers: Answers, isReady = true): Promise<void> {
    const labels = { "app.kubernetes.io/name": "meshctl", "app.kubernetes.io/component": "controller" };
    const ports = { 15014: answers };
    return this.addPod({ name, namespace: "mesh-system", labels, containers: ["controller"], initContainers: [], isReady, ports });
  }

  /** With $KUBECONFIG, and no other configuration of whoever runs the tests. */
  run(...args: readonly string[]): Promise<MeshctlResult> {
    return this.runWith({}, ...args);
  }

  runWith(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<MeshctlResult> {
    return runMeshctl(args, { env: { KUBECONFIG: this.kubeconfig, HOME: this.folder, ...env } });
  }

  async #serve(answers: Answers): Promise<number> {
    const server = http.createServer((request, response) => {
      const answer = answers(request.url ?? "/");
      if (answer === undefined) response.writeHead(404).end(`nothing at ${request.url}\n`);
      else response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
    });
    this.#servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  }
}
