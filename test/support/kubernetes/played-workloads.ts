// A Deployment's pod as the deployment and replica set controllers, the kubelet and the endpoint slice controller make it
// between them: from the Deployment that the API server has, through admission, to processes and the Service's endpoint.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { KubeObjects } from "../../../src/kube/objects.ts";
import type { KubeObject } from "../../../src/kube/resource-kind.ts";
import type { ConfigMap, Container, ObjectMeta, PodSpec } from "../../../src/manifests/kube-objects.ts";
import { InjectedPod } from "./injected-pod.ts";
import type { InstalledController } from "./installed-controller.ts";
import { playServiceAccount } from "./played-controllers.ts";
import { NODE_NAME } from "./played-kubelet.ts";
import { TOKEN_ISSUER } from "./real-cluster.ts";
import type { RealCluster } from "./real-cluster.ts";

const STARTED = "2026-01-01T00:00:00Z";
const DEFAULT_AUDIENCE = "https://kubernetes.default.svc";

export class PlayedWorkloads {
  readonly #cluster: RealCluster;
  readonly #objects: KubeObjects;
  readonly #controller: InstalledController;
  readonly #hosts: readonly string[];

  /** @param hosts lines for the pods' /etc/hosts. */
  constructor(cluster: RealCluster, controller: InstalledController, hosts: readonly string[]) {
    this.#cluster = cluster;
    this.#objects = cluster.objects();
    this.#controller = controller;
    this.#hosts = hosts;
  }

  /** What becomes of the Deployment's template on its way into the cluster; nothing runs yet. */
  async admit(namespace: string, deployment: string): Promise<KubeObject> {
    const owner = (await this.#objects.get({ apiVersion: "apps/v1", kind: "Deployment", namespace, name: deployment }))!;
    const { template, selector } = owner["spec"] as { template: { metadata: ObjectMeta; spec: PodSpec }; selector: object };
    await playServiceAccount(this.#objects, namespace, template.spec.serviceAccountName ?? "default");
    const name = `${deployment}-7d9f8c6b5`;
    const labels = { ...template.metadata.labels, "pod-template-hash": "7d9f8c6b5" };
    const set = await this.#objects.create({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name, namespace, labels, ownerReferences: [ownedBy(owner)] },
      spec: { replicas: 1, selector, template },
    });
    const metadata = { ...template.metadata, labels, generateName: `${name}-`, namespace, ownerReferences: [ownedBy(set)] };
    return this.#objects.create({ apiVersion: "v1", kind: "Pod", metadata, spec: { ...template.spec, nodeName: NODE_NAME } });
  }

  /** Runs the pod, and says so in its status and in the endpoints of the Service that its label `app` names. */
  async run(object: KubeObject): Promise<InjectedPod> {
    const metadata = object.metadata as InjectedPod["facts"]["metadata"];
    const spec = object["spec"] as PodSpec;
    const { name, namespace } = metadata;
    const folder = join(this.#cluster.folder, name);
    mkdirSync(folder);
    const { network, program } = this.#controller;
    const configMaps = new Map<string, ConfigMap>();
    for (const each of (await this.#objects.list({ apiVersion: "v1", kind: "ConfigMap" }, { namespace })) ?? [])
      configMaps.set(each.metadata.name, each);
    // The root CA publisher's.
    const kubernetes = { metadata: { name: "kube-root-ca.crt" }, data: { "ca.crt": this.#cluster.certificate } };
    configMaps.set("kube-root-ca.crt", { apiVersion: "v1", kind: "ConfigMap", ...kubernetes });
    const serviceAccount = spec.serviceAccountName ?? "default";
    const sandbox = await network.start({
      name,
      program: "sleep",
      args: ["infinity"],
      env: {},
      serviceAccountFolder: folder,
      uid: 65535,
    });
    const facts = { metadata, spec, ips: [sandbox.address], nodeName: NODE_NAME, hostIp: this.#cluster.addresses[0]! };
    const pod = new InjectedPod(facts, {
      sandbox,
      folder,
      meshctl: program,
      hosts: this.#hosts,
      configMaps,
      mintToken: (audience) =>
        this.#cluster.token({
          namespace,
          serviceAccount,
          pod: name,
          audience: audience === DEFAULT_AUDIENCE ? TOKEN_ISSUER : audience,
        }),
    });
    await this.#status(pod, false);
    await pod.start();
    await this.#status(pod, true);
    await this.#endpoint(pod);
    return pod;
  }

  async #status({ facts: { metadata, spec, ips } }: InjectedPod, ready: boolean): Promise<void> {
    const running = { running: { startedAt: STARTED } };
    const waiting = { waiting: { reason: "PodInitializing" } };
    const done = { terminated: { exitCode: 0, reason: "Completed", startedAt: STARTED, finishedAt: STARTED } };
    const statusOf = ({ name, image, restartPolicy }: Container, isInit: boolean): object => ({
      ...{ name, image, imageID: image, restartCount: 0, ready, started: ready },
      state: !ready ? waiting : isInit && restartPolicy !== "Always" ? done : running,
    });
    const status = {
      phase: ready ? "Running" : "Pending",
      podIP: ips[0],
      podIPs: ips.map((ip) => ({ ip })),
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      initContainerStatuses: (spec.initContainers ?? []).map((each) => statusOf(each, true)),
      containerStatuses: spec.containers.map((each) => statusOf(each, false)),
    };
    const { name, namespace } = metadata;
    await this.#objects.mergePatch({ apiVersion: "v1", kind: "Pod", name, namespace }, { status }, { subresource: "status" });
  }

  async #endpoint({ facts: { metadata, spec, ips } }: InjectedPod): Promise<void> {
    const { name, namespace, uid } = metadata;
    const service = metadata.labels!["app"]!;
    const [port] = spec.containers[0]!.ports!;
    await this.#objects.create({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${service}-1`, namespace, labels: { "kubernetes.io/service-name": service } },
      addressType: "IPv4",
      ports: [{ name: "http", port: port!.containerPort, protocol: "TCP" }],
      endpoints: [{ addresses: ips, conditions: { ready: true }, nodeName: NODE_NAME, targetRef: { kind: "Pod", namespace, name, uid } }],
    });
  }
}

function ownedBy({ apiVersion, kind, metadata: { name, uid } }: KubeObject): object {
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
