// One pod: its network, its volumes, and its containers in the order that Kubernetes gives them. What it runs is the
// pod spec as injection made it; nothing here knows which containers are the mesh's.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:net";
import { join } from "node:path";
import type { Container } from "../../manifests/kube-objects.ts";
import { DNS_ADDRESS, GATEWAY, type AddressPair } from "../network/address-pool.ts";
import { containerLaunch } from "./container-spec.ts";
import { ContainerHooks } from "./container-hooks.ts";
import { runBeside } from "./beside-process.ts";
import { containerCommandLine, type Mount } from "./container-launch.ts";
import { ContainerLog } from "./container-log.ts";
import { ContainerProcess } from "./container-process.ts";
import { NetworkNamespace } from "../network/namespace-socket.ts";
import type { Network } from "../network/network.ts";
import { buildEnvironment, type PodFacts } from "./pod-environment.ts";
import { openPodSocket } from "../network/pod-socket.ts";
import { PodVolumes, type VolumeSources } from "./pod-volumes.ts";
import type { ProbeTarget } from "./probe-attempt.ts";
import { Prober } from "./prober.ts";
import type { ContainerInfo, PodInfo, PodPhase } from "../run-folder.ts";
import { containerInfo, isSidecar, type RunningContainer } from "./running-container.ts";

export const NODE_NAME = "local";
const PODS_FOLDER = "/run/meshctl-pods";
const DEFAULT_GRACE_SECONDS = 30;
const SIDECAR_GRACE_MS = 5000;

export interface PodOptions {
  readonly facts: Omit<PodFacts, "ips" | "hostIp" | "nodeName">;
  readonly owner: { readonly kind: string; readonly name: string };
  /** Differs when the template differs: tells which pods a rollout replaces. */
  readonly templateHash: string;
  readonly meshed: boolean;
  readonly address: AddressPair;
  readonly network: Network;
  readonly socketPath: string;
  readonly logFolder: string;
  readonly clusterDomain: string;
  /** Lines for /etc/hosts besides the pod's own. */
  readonly hosts: readonly string[];
  readonly sources: VolumeSources;
  /** Volumes need what the control plane makes first (the root certificate): resolves when it is there. */
  readonly controlPlaneReady: Promise<void>;
  readonly onChange: () => void;
}

export class Pod {
  readonly facts: PodFacts;
  readonly owner: PodOptions["owner"];
  readonly templateHash: string;
  readonly createdAt = new Date().toISOString();
  readonly address: AddressPair;
  readonly #options: PodOptions;
  readonly #folder: string;
  readonly #namespaceName: string;
  readonly #containers: RunningContainer[] = [];
  readonly #volumes: PodVolumes;
  #namespace: NetworkNamespace | undefined;
  #socket: Server | undefined;
  #phase: PodPhase = "Pending";
  #problem: string | undefined;
  #started: Promise<void> = Promise.resolve();

  constructor(options: PodOptions) {
    this.#options = options;
    this.owner = options.owner;
    this.templateHash = options.templateHash;
    this.address = options.address;
    this.facts = { ...options.facts, ips: options.network.addresses(options.address), nodeName: NODE_NAME, hostIp: GATEWAY.v4 };
    const { name, namespace } = options.facts.metadata;
    this.#namespaceName = `${namespace}.${name}`;
    this.#folder = join(PODS_FOLDER, this.#namespaceName);
    this.#volumes = new PodVolumes(join(this.#folder, "volumes"), this.facts, options.sources);
  }

  get isTerminating(): boolean {
    return this.#phase === "Terminating";
  }

  /** Every container runs and is ready; so does the sidecar. */
  get isReady(): boolean {
    if (this.#phase !== "Running") return false;
    return this.#containers.every((each) =>
      isSidecar(each) || each.kind === "app" ? each.prober?.ready === true && each.process.state === "Running" : true,
    );
  }

  /** Why nothing will come of it without a change of the YAML, or what keeps a container from running. */
  get failure(): string | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const crashing = this.#containers.find((each) => each.process.state === "CrashLoopBackOff");
    return crashing === undefined ? undefined : `container ${crashing.spec.name} keeps ending (${crashing.process.message ?? ""})`;
  }

  /** Starts it in the background; what goes wrong shows in `failure` and the containers' states. */
  start(): void {
    this.#started = this.#start().catch((error: unknown) => {
      this.#problem = error instanceof Error ? error.message : String(error);
      this.#options.onChange();
    });
  }

  async #start(): Promise<void> {
    const { network, address, facts } = this.#options;
    await network.addPod(this.#namespaceName, address);
    this.#namespace = new NetworkNamespace(`/run/netns/${this.#namespaceName}`);
    this.#socket = await openPodSocket(this.#options.socketPath, this.#namespace);
    this.#writePodFiles();
    this.#options.onChange();
    for (const container of facts.spec.initContainers ?? []) {
      if (container.volumeMounts !== undefined) await this.#writeVolumes();
      if (this.isTerminating) return;
      if (container.restartPolicy === "Always") await this.#startSidecar(container);
      else await this.#runInitContainer(container);
    }
    await this.#writeVolumes();
    if (this.isTerminating) return;
    for (const container of facts.spec.containers) {
      const running = this.#launch(container, "app");
      running.process.start();
      // As in kubelet: the containers behind it wait for a container's postStart.
      await running.hooks.started;
      if (this.isTerminating) return;
    }
    this.#phase = "Running";
    this.#options.onChange();
  }

  #volumesWritten: Promise<void> | undefined;

  #writeVolumes(): Promise<void> {
    return (this.#volumesWritten ??= (async () => {
      if (this.#options.meshed) await this.#options.controlPlaneReady;
      const missing = await this.#volumes.write();
      if (missing.length > 0) throw new Error(missing.join("; "));
    })());
  }

  #writePodFiles(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o755 });
    const { name, namespace } = this.facts.metadata;
    const domain = this.#options.clusterDomain;
    writeFileSync(
      join(this.#folder, "resolv.conf"),
      `search ${namespace}.svc.${domain} svc.${domain} ${domain}\nnameserver ${DNS_ADDRESS}\noptions ndots:5\n`,
    );
    const own = this.facts.ips.map((ip) => `${ip}\t${name}`);
    writeFileSync(
      join(this.#folder, "hosts"),
      ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost", ...own, ...this.#options.hosts, ""].join("\n"),
    );
    writeFileSync(join(this.#folder, "hostname"), `${name}\n`);
  }

  #podMounts(): Mount[] {
    const file = (name: string): Mount => ({ source: join(this.#folder, name), target: `/etc/${name}`, isFile: true, readOnly: true });
    return [file("resolv.conf"), file("hosts"), file("hostname")];
  }

  #launch(container: Container, kind: ContainerInfo["kind"]): RunningContainer {
    const { name, namespace } = this.facts.metadata;
    const environment = buildEnvironment(container, this.facts, this.#options.sources.configMap);
    if (environment.problems.length > 0) throw new Error(`container ${container.name}: ${environment.problems.join("; ")}`);
    const { launch, values } = containerLaunch(container, this.facts, environment.values, (uid) => [
      ...this.#podMounts(),
      ...this.#volumes.mounts(container, uid),
    ]);
    const log = new ContainerLog(join(this.#options.logFolder, `${namespace}_${name}_${container.name}.log`));
    const process = new ContainerProcess({
      commandLine: containerCommandLine({ ...launch, namespace: this.#namespaceName, hostname: name }),
      environment: values,
      log,
      onChange: this.#options.onChange,
    });
    const hooks = new ContainerHooks(container.lifecycle, {
      target: () => this.#probeTarget(running),
      onFailed: (which, why) => {
        log.note(`meshctl: ${which}: ${why}`);
        // As in kubelet: without its postStart a container is ended, and the restart policy does the rest.
        if (which === "postStart") void process.kill(this.#graceMs());
      },
    });
    const running: RunningContainer = { spec: container, kind, process, log, hooks, prober: undefined };
    process.onStart = () => {
      this.#watch(running);
      hooks.afterStart();
    };
    process.onEnd = () => running.prober?.stop();
    this.#containers.push(running);
    return running;
  }

  #watch(running: RunningContainer): void {
    running.prober?.stop();
    const { startupProbe, readinessProbe, livenessProbe } = running.spec;
    const target = this.#probeTarget(running);
    if (target === undefined) return;
    running.prober = new Prober({ startup: startupProbe, readiness: readinessProbe, liveness: livenessProbe }, target, {
      onChange: this.#options.onChange,
      onUnhealthy: (why) => {
        running.log.note(`meshctl: restarting: ${why}`);
        void running.process.kill(this.#graceMs());
      },
    });
    running.prober.start();
  }

  #probeTarget(running: RunningContainer): ProbeTarget | undefined {
    const namespace = this.#namespace;
    if (namespace === undefined) return undefined;
    return {
      namespace,
      podIp: this.facts.ips[0] ?? "127.0.0.1",
      port: (port) => (typeof port === "number" ? port : this.portNumber(port)),
      exec: (command, timeoutMs) => this.#exec(running, command, timeoutMs),
    };
  }

  /** By the name that a container gives its port. */
  portNumber(name: string): number | undefined {
    const ports = this.facts.spec.containers.flatMap((container) => container.ports ?? []);
    return ports.find((port) => port.name === name)?.containerPort;
  }

  async #exec(running: RunningContainer, command: readonly string[], timeoutMs: number): Promise<number> {
    const pid = running.process.pid;
    if (pid === undefined) return 1;
    const { identity } = containerLaunch(running.spec, this.facts, {}, () => []).launch;
    return runBeside(pid, identity, command, timeoutMs);
  }

  #runInitContainer(container: Container): Promise<void> {
    return new Promise((resolve) => {
      const running = this.#launch(container, "init");
      const watch = running.process.onEnd;
      running.process.onEnd = (end) => {
        watch(end);
        if (end.code !== 0) return;
        // Done: no restart follows.
        void running.process.stop(0);
        resolve();
      };
      running.process.start();
    });
  }

  #startSidecar(container: Container): Promise<void> {
    return new Promise((resolve) => {
      const running = this.#launch(container, "sidecar");
      const start = running.process.onStart;
      running.process.onStart = () => {
        start();
        const prober = running.prober;
        if (prober?.started === true) resolve();
        else if (prober !== undefined) prober.onceStarted = resolve;
      };
      running.process.start();
    });
  }

  #graceMs(): number {
    return (this.facts.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000;
  }

  /** From now on it is no endpoint for new requests; its containers still run. */
  beginTermination(): void {
    this.#phase = "Terminating";
    this.#options.onChange();
  }

  /** Stops the app, then the sidecars, then removes everything the pod had. */
  async stop(longestGraceMs: number): Promise<void> {
    this.#phase = "Terminating";
    const graceMs = Math.min(this.#graceMs(), longestGraceMs);
    const stopAll = (containers: readonly RunningContainer[], ms: number): Promise<unknown> =>
      Promise.all(
        containers.map(async (each) => {
          const leftMs = isSidecar(each) ? ms : await each.hooks.beforeStop(ms);
          await each.process.stop(leftMs);
        }),
      );
    for (const each of this.#containers) each.prober?.stop();
    // A native sidecar's comes at once, too, though its end comes last.
    const sidecarHooks = Promise.all(this.#containers.filter(isSidecar).map((each) => each.hooks.beforeStop(graceMs)));
    await stopAll(
      this.#containers.filter((each) => !isSidecar(each)),
      graceMs,
    );
    await sidecarHooks;
    await stopAll(this.#containers.filter(isSidecar), Math.min(SIDECAR_GRACE_MS, longestGraceMs));
    await Promise.race([this.#started, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
    this.#socket?.close();
    this.#namespace?.close();
    this.#volumes.remove();
    rmSync(this.#folder, { recursive: true, force: true });
    rmSync(this.#options.socketPath, { force: true });
    await this.#options.network.removePod(this.#namespaceName);
    for (const { log } of this.#containers) for (const path of [log.path, log.previousPath]) rmSync(path, { force: true });
  }

  trimLogs(): void {
    for (const each of this.#containers) each.log.trim();
  }

  info(): PodInfo {
    const { name, namespace, labels } = this.facts.metadata;
    const containers = this.#containers.map(containerInfo);
    return {
      name,
      namespace,
      ip: this.facts.ips[0] ?? "",
      ips: this.facts.ips,
      owner: this.owner,
      labels: labels ?? {},
      serviceAccount: this.facts.spec.serviceAccountName ?? "default",
      meshed: this.#options.meshed,
      phase: this.#phase,
      ready: this.isReady,
      restarts: containers.reduce((sum, each) => sum + each.restarts, 0),
      createdAt: this.createdAt,
      containers,
      socketPath: this.#options.socketPath,
      message: this.failure,
    };
  }
}
