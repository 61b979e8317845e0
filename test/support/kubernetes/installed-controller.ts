// The controller as it is installed: its Deployment's own container, started for one pod after the other as a kubelet
// would, with nothing but what a pod has. Also plays the ReplicaSet and the EndpointSlice of its Service.
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import type { IncomingMessage } from "node:http";
import { once } from "node:events";
import { join, resolve } from "node:path";
import type { KubeObjects } from "../../../src/kube/objects.ts";
import type { KubeObject } from "../../../src/kube/resource-kind.ts";
import { eventually } from "../eventually.ts";
import { playServiceAccount } from "./played-controllers.ts";
import { PodNetwork } from "./pod-network.ts";
import type { PodProcess } from "./pod-network.ts";
import { API_SERVER } from "./real-cluster.ts";
import type { RealCluster } from "./real-cluster.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const NAMESPACE = "mesh-system";
const MONITORING_PORT = 15014;
const START_TIMEOUT_MS = 60_000;

const READY = [{ type: "Ready", status: "True" }];

interface Container {
  readonly args: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
  }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
}

interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly serviceAccountName: string;
    readonly containers: readonly [Container];
    readonly securityContext: { readonly runAsUser: number };
  };
}

export interface Replica {
  readonly name: string;
  readonly uid: string;
  readonly process: PodProcess;
  /** What it answers at a path of its monitoring port; undefined while nothing listens. */
  ask(path: string): Promise<string | undefined>;
}

export class InstalledController {
  readonly network = new PodNetwork();
  readonly #cluster: RealCluster;
  readonly #objects: KubeObjects;
  readonly #program: string;
  readonly #replicas: Replica[] = [];

  constructor(cluster: RealCluster) {
    this.#cluster = cluster;
    this.#objects = cluster.objects();
    // A copy, that a build under way can't pull from under a running process.
    const folder = join(cluster.folder, "package");
    mkdirSync(folder);
    for (const name of ["bin", "dist"]) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    for (const name of ["node_modules", "templates", "package.json"]) symlinkSync(join(ROOT, name), join(folder, name));
    this.#program = join(folder, "bin/meshctl");
  }

  /** What stands in the mesh's image: any user may run it. */
  get program(): string {
    return this.#program;
  }

  /** Starts one more pod of the Deployment; resolves while it may not be ready yet. */
  async start(placement: { readonly nodeName?: string } = {}): Promise<Replica> {
    const template = await this.#template();
    const { serviceAccountName, containers, securityContext } = template.spec;
    await playServiceAccount(this.#objects, NAMESPACE, serviceAccountName);
    const name = `controller-${this.#replicas.length}`;
    const address = this.network.nextAddress;
    const { labels } = template.metadata;
    const draft = { apiVersion: "v1", kind: "Pod", metadata: { ...template.metadata, name, namespace: NAMESPACE, labels } };
    const pod = await this.#objects.create({ ...draft, spec: { ...template.spec, ...placement } });
    await this.#objects.mergePatch(
      { ...draft, name, namespace: NAMESPACE },
      { status: { phase: "Running", podIP: address, podIPs: [{ ip: address }], conditions: READY } },
      { subresource: "status" },
    );
    const token = await this.#cluster.token({ namespace: NAMESPACE, serviceAccount: serviceAccountName, pod: name });
    const folder = join(this.#cluster.folder, name);
    mkdirSync(folder);
    for (const [file, text] of [
      ["token", token],
      ["ca.crt", this.#cluster.certificate],
      ["namespace", NAMESPACE],
    ] as const)
      writeFileSync(join(folder, file), text);
    const [container] = containers;
    const fields: Readonly<Record<string, string>> = {
      "metadata.name": name,
      "metadata.namespace": NAMESPACE,
      "metadata.uid": String(pod.metadata.uid),
      "status.podIP": address,
      "status.podIPs": address,
      "spec.serviceAccountName": serviceAccountName,
    };
    const env = (container.env ?? []).map((each) => [each.name, each.value ?? fields[each.valueFrom?.fieldRef?.fieldPath ?? ""] ?? ""]);
    const process = await this.network.start({
      name,
      program: this.#program,
      args: container.args,
      env: {
        ...(Object.fromEntries(env) as Record<string, string>),
        KUBERNETES_SERVICE_HOST: API_SERVER.host,
        KUBERNETES_SERVICE_PORT: String(API_SERVER.port),
        MESHCTL_NO_BUILD: "1",
      },
      serviceAccountFolder: folder,
      uid: securityContext.runAsUser,
    });
    const replica = { name, uid: String(pod.metadata.uid), process, ask: (path: string) => ask(address, path) };
    this.#replicas.push(replica);
    return replica;
  }

  /** @throws Error with what it logged, when it ends or doesn't get there. */
  async ready(replica: Replica): Promise<void> {
    await eventually(
      async () => {
        const answer = await replica.ask("/ready");
        if (answer === undefined || !answer.startsWith("200 "))
          throw new Error(`${replica.name}: ${answer ?? "not ready"}\n${replica.process.output}`);
      },
      { withinMs: START_TIMEOUT_MS },
    );
  }

  /** Makes the Service lead to these replicas, as the endpoint slice controller does. */
  async serve(...replicas: readonly Replica[]): Promise<void> {
    const service = await this.#get("v1", "Service");
    const [{ ports: named }] = (await this.#template()).spec.containers;
    const { ports } = service["spec"] as { ports: readonly { name: string; targetPort: number | string }[] };
    await this.#objects.serverSideApply(
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name: "controller-1", namespace: NAMESPACE, labels: { "kubernetes.io/service-name": "controller" } },
        addressType: "IPv4",
        ports: ports.map(({ name, targetPort }) => ({
          name,
          port: typeof targetPort === "number" ? targetPort : named.find((each) => each.name === targetPort)?.containerPort,
          protocol: "TCP",
        })),
        endpoints: replicas.map(({ name, uid, process }) => ({
          addresses: [process.address],
          conditions: { ready: true, serving: true, terminating: false },
          targetRef: { kind: "Pod", namespace: NAMESPACE, name, uid },
        })),
      },
      { fieldManager: "endpointslice-controller", force: true },
    );
  }

  /** What the deployment controller says while so many pods are ready. */
  async playAvailable(replicas: number): Promise<void> {
    const { metadata } = (await this.#get("apps/v1", "Deployment")) as unknown as { metadata: { generation: number } };
    const [isAvailable, reason] = replicas > 0 ? ["True", "MinimumReplicasAvailable"] : ["False", "MinimumReplicasUnavailable"];
    const condition = { type: "Available", status: isAvailable, reason, message: "" };
    const counts = { replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
    const status = { ...counts, observedGeneration: metadata.generation, conditions: [condition] };
    const name = { apiVersion: "apps/v1", kind: "Deployment", namespace: NAMESPACE, name: "controller" };
    await this.#objects.mergePatch(name, { status }, { subresource: "status" });
  }

  async stop(): Promise<void> {
    await this.network.stop();
  }

  async #template(): Promise<PodTemplate> {
    return ((await this.#get("apps/v1", "Deployment"))["spec"] as { template: PodTemplate }).template;
  }

  async #get(apiVersion: string, kind: string): Promise<KubeObject> {
    const found = await this.#objects.get({ apiVersion, kind, namespace: NAMESPACE, name: "controller" });
    if (found === undefined) throw new Error(`there is no ${kind} controller`);
    return found;
  }
}

/** Status and body. */
async function ask(host: string, path: string): Promise<string | undefined> {
  try {
    const request = get({ host, port: MONITORING_PORT, path, agent: false, timeout: 5_000 });
    request.on("timeout", () => request.destroy(new Error("no answer within 5 s")));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    let text = `${response.statusCode} `;
    for await (const chunk of response.setEncoding("utf8")) text += String(chunk);
    return text;
  } catch {
    return undefined;
  }
}
