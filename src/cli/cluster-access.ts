// A mesh in a cluster as the inspecting commands see it: pods by the API server, their loopback by its port-forward.
import { systemClock } from "../common/clock.ts";
import { UserError } from "../common/user-error.ts";
import { loadInCluster, loadKubeconfig } from "../kube/cluster-config.ts";
import type { ClusterConnection } from "../kube/cluster-connection.ts";
import { ApiError } from "../kube/api-error.ts";
import { currentContext } from "../kube/kubeconfig-files.ts";
import { KubeObjects } from "../kube/objects.ts";
import { openPortForward, POD_FAILED } from "../kube/port-forward.ts";
import { isInCluster } from "../kube/service-account.ts";
import { AdminClient } from "./admin-client.ts";
import { clusterError, type Permission } from "./cluster-error.ts";
import { requireRunning, sidecarOf, toClusterPod, type ClusterPod } from "./cluster-pods.ts";
import { findClusterPod } from "./cluster-workload.ts";
import type { CommandContext } from "./command.ts";
import type { MeshAccess, MeshPod } from "./mesh-access.ts";
import { parseWorkloadArgument, type PodFacts } from "./workload.ts";

/** Of one question to the API server; a person waits. */
const TIMEOUT_MS = 10_000;
/** Shorter than the whole of a question to a pod may take. */
const FORWARD_TIMEOUT_MS = 5000;
const CONTROLLER_PODS = "app.kubernetes.io/name=meshctl,app.kubernetes.io/component=controller";
const CONTROLLER_CONTAINER = "controller";

/** @param advice what else may have been meant, for the message that the cluster can't be reached. @throws UserError */
export function openClusterAccess(context: CommandContext, advice?: string): ClusterAccess {
  const option = (name: string): string | undefined => context.options[name] as string | undefined;
  const { env } = context;
  const choice = { kubeconfig: option("kubeconfig"), context: option("context"), as: option("as") };
  const isOwn = choice.kubeconfig === undefined && choice.context === undefined && currentContext(env) === undefined && isInCluster();
  const connection = isOwn ? loadInCluster(env) : loadKubeconfig(choice, env);
  return new ClusterAccess(connection, { namespace: option("namespace"), meshNamespace: option("meshNamespace") ?? "", advice });
}

interface ClusterAccessOptions {
  /** `-n`. */
  readonly namespace: string | undefined;
  readonly meshNamespace: string;
  readonly advice: string | undefined;
}

export class ClusterAccess implements MeshAccess {
  readonly #connection: ClusterConnection;
  readonly #options: ClusterAccessOptions;
  readonly #objects: KubeObjects;

  constructor(connection: ClusterConnection, options: ClusterAccessOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#objects = new KubeObjects({ connection, clock: systemClock, timeoutMs: TIMEOUT_MS });
  }

  get description(): string {
    return `cluster of context ${this.#connection.getCurrentContext()}`;
  }

  async workload(text: string): Promise<MeshPod> {
    const argument = parseWorkloadArgument(text, this.#options.namespace);
    const namespace = argument.namespace ?? this.#connection.namespace;
    const pod = await this.#asking({ verb: "list", resource: "pods", namespace }, () =>
      findClusterPod(this.#objects, { ...argument, namespace }),
    );
    const sidecar = sidecarOf(pod);
    if (sidecar === undefined) {
      const hint = `only a meshed workload has something to show here; meshctl check --proxy -n ${pod.namespace} tells why a pod is not`;
      throw new UserError(`pod ${pod.name}.${pod.namespace} has no sidecar`, hint);
    }
    requireRunning(pod, sidecar);
    return this.#meshPod(pod, `the sidecar of ${pod.name}.${pod.namespace}`, sidecar);
  }

  async controllers(): Promise<readonly MeshPod[]> {
    const namespace = this.#options.meshNamespace;
    const objects = await this.#asking({ verb: "list", resource: "pods", namespace }, () =>
      this.#objects.list({ apiVersion: "v1", kind: "Pod" }, { namespace, labelSelector: CONTROLLER_PODS }),
    );
    const pods = (objects ?? []).map(toClusterPod);
    const running = pods.filter((pod) => pod.phase === "Running").sort((a, b) => (a.name < b.name ? -1 : 1));
    const [stuck] = pods;
    if (running.length === 0 && stuck !== undefined) requireRunning(stuck, CONTROLLER_CONTAINER);
    if (running.length === 0) {
      const install = "install it: meshctl install | kubectl apply -f -, or name its namespace with --mesh-namespace";
      const hint = `${install}; where it is installed, meshctl check tells why none runs`;
      throw new UserError(`no control plane runs in namespace ${namespace}`, hint);
    }
    return running.map((pod) => this.#meshPod(pod, `the control plane's ${pod.name}.${pod.namespace}`, CONTROLLER_CONTAINER));
  }

  async pods(): Promise<readonly PodFacts[]> {
    const namespace = this.#options.namespace ?? this.#connection.namespace;
    const objects = await this.#asking({ verb: "list", resource: "pods", namespace }, () =>
      this.#objects.list({ apiVersion: "v1", kind: "Pod" }, { namespace }),
    );
    return (objects ?? []).map(toClusterPod);
  }

  async namespaces(): Promise<readonly string[]> {
    const permission = { verb: "list", resource: "namespaces", namespace: this.#connection.namespace };
    const objects = await this.#asking(permission, () => this.#objects.list({ apiVersion: "v1", kind: "Namespace" }));
    return (objects ?? []).map((each) => each.metadata.name);
  }

  close(): void {
    this.#connection.close();
  }

  #meshPod({ name, namespace }: ClusterPod, description: string, container: string): MeshPod {
    const permission = { verb: "create", resource: "pods/portforward", namespace };
    const target = { namespace, pod: name };
    const options = { clock: systemClock, timeoutMs: FORWARD_TIMEOUT_MS };
    const admin = (port: number): AdminClient =>
      new AdminClient({
        description,
        hint: `see kubectl -n ${namespace} logs ${name} -c ${container}`,
        connect: () => this.#asking(permission, () => openPortForward(this.#connection, { ...target, port }, options)),
      });
    return { name, namespace, admin };
  }

  async #asking<T>(permission: Permission, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      // The pod's trouble, and not the API server's: whoever asks the pod says so.
      if (error instanceof ApiError && error.reason === POD_FAILED) throw error;
      throw clusterError(error, this.#connection, permission, this.#options.advice);
    }
  }
}
