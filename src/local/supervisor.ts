// The process that runs a local mesh, inside its sandbox: scheduler, kubelet and endpoint controller in one.
// Composition in start order: root folder, network, token key, controller, then pods as the YAML says.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTokenSigner, type TokenSigner } from "../ca/client/service-account-token.ts";
import { ROOT_CERTIFICATE_CONFIG_MAP } from "../manifests/injected-containers.ts";
import type { ConfigMap, KubeObject, Service } from "../manifests/kube-objects.ts";
import { AddressPool, POD_RANGE } from "./network/address-pool.ts";
import { endpointSlices, podObject } from "./cluster/cluster-objects.ts";
import { openControlSocket } from "./control-socket.ts";
import { CONTROLLER_HOST, ControllerProcess } from "./controller-process.ts";
import { desiredState, hashTemplate, injectWorkload, randomNameSuffix, type DesiredWorkload } from "./cluster/desired-pods.ts";
import { LOCAL_INJECTION } from "./cluster/local-injection.ts";
import { unsupportedFields } from "./cluster/manifest-check.ts";
import { ManifestReader, type ManifestSet } from "./cluster/manifest-set.ts";
import { writeFileAtomically } from "./mesh-lifetime.ts";
import { Network } from "./network/network.ts";
import { ObjectsFolder } from "./cluster/objects-folder.ts";
import { PodSet } from "./cluster/pod-set.ts";
import { Pod } from "./pod/pod.ts";
import { ingressTemplate, INGRESS_NAME } from "./publish/published-port.ts";
import { buildRootFolder } from "./pod/root-folder.ts";
import { runPaths, type MeshRecord, type MeshStatus } from "./run-folder.ts";
import { ServiceAddresses } from "./cluster/service-addresses.ts";
import { watchSources } from "./cluster/source-watcher.ts";

const LONGEST_STOP_MS = 3000;
/** Until every sidecar knows the last pod that became ready: the controller waits 100 ms for more changes, then pushes. */
const PROPAGATION_MS = 300;
const STATUS_DELAY_MS = 10;
const LOG_CHECK_MS = 5000;
const PROBLEMS_CHECK_MS = 1000;
const NOTHING_PULLED =
  "images are not pulled: each container's command runs with this machine's own files; node is the one that meshctl brings";

class Supervisor {
  readonly #folder: string;
  readonly #record: MeshRecord;
  readonly #paths: ReturnType<typeof runPaths>;
  readonly #network: Network;
  readonly #signer: TokenSigner;
  readonly #controller: ControllerProcess;
  readonly #reader: ManifestReader;
  readonly #addresses: AddressPool;
  readonly #services: ServiceAddresses;
  readonly #objects: ObjectsFolder;
  readonly #pods: PodSet;
  #set: ManifestSet = { deployments: [], pods: [], services: [], configMaps: [], namespaces: [], problems: [] };
  #workloads: readonly DesiredWorkload[] = [];
  #problems: readonly string[] = [];
  #controllerProblems: readonly string[] = [];
  #nextSocket = 1;
  #wholeSince: number | undefined;
  #phase: MeshStatus["phase"] = "starting";
  #statusTimer: NodeJS.Timeout | undefined;

  constructor(folder: string, record: MeshRecord, network: Network, signer: TokenSigner) {
    this.#folder = folder;
    this.#record = record;
    this.#paths = runPaths(folder);
    this.#network = network;
    this.#signer = signer;
    this.#addresses = new AddressPool(POD_RANGE);
    this.#services = new ServiceAddresses(network.hasV6);
    this.#objects = new ObjectsFolder(this.#paths.objects);
    this.#reader = new ManifestReader(record.sources);
    this.#controller = new ControllerProcess({
      runFolder: folder,
      sources: record.sources,
      trustDomain: LOCAL_INJECTION.trustDomain,
      workloadCertTtlMs: record.workloadCertTtlMs,
      network,
      address: this.#addresses.take(),
      onChange: () => this.#changed(),
    });
    this.#pods = new PodSet({
      createPod: (workload) => this.#createPod(workload),
      onGone: (pod) => {
        this.#addresses.release(pod.address);
        this.#changed();
      },
    });
  }

  async start(): Promise<void> {
    this.readSources();
    await this.#controller.start();
  }

  /** Reads the YAML again; a broken file keeps its last good objects. */
  readSources(): void {
    const set = this.#reader.read();
    if (set === undefined) return;
    this.#set = set;
    const state = desiredState(set, LOCAL_INJECTION);
    this.#workloads = [...state.workloads, ...this.#ingress()];
    this.#problems = [...set.problems, ...state.problems];
    this.#changed();
  }

  #ingress(): DesiredWorkload[] {
    if (this.#record.published.length === 0) return [];
    const { namespace, template } = ingressTemplate(this.#record.published, LOCAL_INJECTION.clusterDomain);
    const owner = { kind: "Deployment", name: INGRESS_NAME };
    const injected = injectWorkload(template, { namespace, ...owner }, LOCAL_INJECTION);
    if (!injected.ok) return [];
    const key = `Deployment/${namespace}/${INGRESS_NAME}`;
    return [{ key, owner, namespace, replicas: 1, template: injected.value, templateHash: hashTemplate(injected.value), meshed: true }];
  }

  #createPod(workload: DesiredWorkload): Pod {
    const { owner, namespace, template, templateHash } = workload;
    const isBare = owner.kind === "Pod";
    const replicaSet = `${owner.name}-${templateHash}`;
    const name = isBare ? owner.name : `${replicaSet}-${randomNameSuffix()}`;
    const uid = randomUUID();
    const labels = isBare ? template.metadata?.labels : { ...template.metadata?.labels, "pod-template-hash": templateHash };
    const ownerReferences = isBare
      ? undefined
      : [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: replicaSet, uid: randomUUID(), controller: true }];
    const serviceAccount = template.spec.serviceAccountName ?? "default";
    return new Pod({
      facts: { metadata: { ...template.metadata, name, namespace, uid, labels, ownerReferences }, spec: template.spec },
      owner,
      templateHash,
      meshed: workload.meshed,
      address: this.#addresses.take(),
      network: this.#network,
      socketPath: join(this.#paths.sockets, `${this.#nextSocket++}.sock`),
      logFolder: this.#paths.logs,
      clusterDomain: LOCAL_INJECTION.clusterDomain,
      hosts: this.#controller.addresses.map((ip) => `${ip}\t${CONTROLLER_HOST}`),
      sources: {
        configMap: (wanted) => this.#configMap(namespace, wanted),
        mintToken: (audience, ttlS) => this.#signer.sign({ namespace, serviceAccount, pod: { name, uid } }, { ttlS, audience }),
      },
      controlPlaneReady: this.#controller.ready,
      onChange: () => this.#changed(),
    });
  }

  #configMap(namespace: string, name: string): ConfigMap | undefined {
    const found = this.#set.configMaps.find(
      ({ object }) => object.metadata.name === name && (object.metadata.namespace ?? "default") === namespace,
    );
    if (found !== undefined || name !== ROOT_CERTIFICATE_CONFIG_MAP) return found?.object;
    // In a cluster the controller keeps this one in every namespace.
    const root = this.#controller.rootCertificate();
    return root === undefined
      ? undefined
      : { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data: { "root-cert.pem": root } };
  }

  /** Something may be different now: pods, endpoints and status follow, once for many changes. */
  #changed(): void {
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = undefined;
      this.#pods.reconcile(this.#workloads);
      this.#objects.write(this.#clusterObjects());
      this.#writeStatus();
    }, STATUS_DELAY_MS);
  }

  #clusterObjects(): KubeObject[] {
    const pods = this.#pods.pods;
    const services: Service[] = this.#set.services.map(({ object }) => this.#services.assign(object));
    return [...services, ...services.flatMap((service) => endpointSlices(service, pods, this.#network.hasV6)), ...pods.map(podObject)];
  }

  /** All that is wanted runs and is ready, and has been for long enough that everybody knows. */
  #isSettled(): boolean {
    const isWhole = this.#workloads.every((workload) => {
      const current = this.#pods.pods.filter(
        (pod) => !pod.isTerminating && pod.templateHash === workload.templateHash && pod.owner.name === workload.owner.name,
      );
      return current.length === workload.replicas && current.every((pod) => pod.isReady);
    });
    if (!isWhole || !this.#controller.info().ready) {
      this.#wholeSince = undefined;
      return false;
    }
    if (this.#wholeSince === undefined) {
      this.#wholeSince = performance.now();
      setTimeout(() => this.#changed(), PROPAGATION_MS);
    }
    return performance.now() - this.#wholeSince >= PROPAGATION_MS - 1;
  }

  #writeStatus(): void {
    const pods = this.#pods.pods;
    if (this.#phase !== "stopping") {
      this.#phase = this.#isSettled() ? "ready" : this.#phase === "starting" ? "starting" : "degraded";
    }
    const warnings = this.#workloads.flatMap((workload) =>
      unsupportedFields(workload.template, `${workload.owner.kind} ${workload.owner.name}`),
    );
    const status: MeshStatus = {
      phase: this.#phase,
      pods: pods.map((pod) => pod.info()),
      controller: this.#controller.info(),
      problems: mergeProblems(this.#problems, this.#controllerProblems),
      warnings: [NOTHING_PULLED, ...new Set(warnings)],
    };
    writeFileAtomically(this.#paths.status, `${JSON.stringify(status, null, 1)}\n`);
  }

  /** Asks the controller what it refuses: the kinds of the mesh API are its business. */
  async readControllerProblems(): Promise<void> {
    const problems = await this.#controller.problems();
    if (problems.join("\n") === this.#controllerProblems.join("\n")) return;
    this.#controllerProblems = problems;
    this.#changed();
  }

  trimLogs(): void {
    for (const pod of this.#pods.pods) pod.trimLogs();
    this.#controller.trimLogs();
  }

  async stop(): Promise<void> {
    this.#phase = "stopping";
    this.#writeStatus();
    await this.#pods.stopAll(LONGEST_STOP_MS);
    await this.#controller.stop(LONGEST_STOP_MS);
  }
}

/** Both read the same files: of two that speak of one line, the controller's says more. */
function mergeProblems(own: readonly string[], controller: readonly string[]): string[] {
  const lineOf = (problem: string): string => /^.*?:\d+:/.exec(problem)?.[0] ?? problem;
  return [...own.filter((each) => !controller.some((other) => lineOf(other) === lineOf(each))), ...controller];
}

/** Runs the mesh of this run folder until it is told to stop. */
export async function runSupervisor(folder: string): Promise<void> {
  const paths = runPaths(folder);
  const record = JSON.parse(readFileSync(paths.record, "utf8")) as MeshRecord;
  const [network, signer] = await Promise.all([Network.create(), createTokenSigner(), buildRootFolder()]);
  writeFileAtomically(paths.tokenKeys, `${JSON.stringify(signer.jwks)}\n`);
  const supervisor = new Supervisor(folder, record, network, signer);

  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  let stopping: Promise<void> | undefined;
  const stop = (): void => void (stopping ??= supervisor.stop().then(end, end));
  await openControlSocket(paths.control, stop);
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // `up` in the foreground holds the other end: when it is gone, however it went, so is the mesh.
  if (process.env["MESHCTL_TIED"] === "1") process.stdin.on("end", stop).on("error", stop).resume();

  await supervisor.start();
  const watcher = watchSources(record.sources, () => supervisor.readSources());
  const problems = setInterval(() => void supervisor.readControllerProblems(), PROBLEMS_CHECK_MS);
  const logs = setInterval(() => supervisor.trimLogs(), LOG_CHECK_MS);
  await ended;
  watcher.close();
  clearInterval(problems);
  clearInterval(logs);
}
