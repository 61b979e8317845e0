// A Pod of a cluster as the workload argument and the way to its sidecar need it.
import { UserError } from "../common/user-error.ts";
import type { KubeObject } from "../kube/resource-kind.ts";
import type { PodFacts } from "./workload.ts";

export interface ClusterPod extends PodFacts {
  readonly phase: string;
  readonly spec: PodSpec;
  readonly status: PodStatus;
}

interface PodSpec {
  readonly containers?: readonly { readonly name: string }[];
  readonly initContainers?: readonly { readonly name: string }[];
}

interface ContainerStatus {
  readonly name: string;
  readonly state?: {
    readonly running?: object;
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly terminated?: { readonly reason?: string; readonly exitCode?: number };
  };
}

interface PodStatus {
  readonly phase?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  readonly containerStatuses?: readonly ContainerStatus[];
  readonly initContainerStatuses?: readonly ContainerStatus[];
}

interface PodMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly controller?: boolean }[];
}

/** Ours, and Istio's: its sidecar answers the same questions. */
const SIDECARS = ["meshctl-proxy", "istio-proxy"];

export function toClusterPod(object: KubeObject): ClusterPod {
  const metadata = object.metadata as PodMetadata;
  const spec = (object["spec"] ?? {}) as PodSpec;
  const status = (object["status"] ?? {}) as PodStatus;
  const isReady = status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? "default",
    ready: isReady && metadata.deletionTimestamp === undefined,
    owner: ownerOf(metadata),
    phase: status.phase ?? "Pending",
    spec,
    status,
  };
}

/** As a person knows it: the Deployment of a ReplicaSet, the CronJob of a Job, by the names that their controllers give. */
function ownerOf({ name, labels, ownerReferences }: PodMetadata): PodFacts["owner"] {
  const owner = ownerReferences?.find((each) => each.controller === true);
  if (owner === undefined) return { kind: "Pod", name };
  const hash = labels?.["pod-template-hash"];
  if (owner.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`))
    return { kind: "Deployment", name: owner.name.slice(0, -hash.length - 1) };
  const scheduled = /^(?<name>.+)-\d{8,11}$/.exec(owner.name)?.groups?.["name"];
  if (owner.kind === "Job" && scheduled !== undefined) return { kind: "CronJob", name: scheduled };
  return { kind: owner.kind, name: owner.name };
}

/** @returns undefined when the pod has none. */
export function sidecarOf({ spec }: ClusterPod): string | undefined {
  const names = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].map((each) => each.name);
  return SIDECARS.find((each) => names.includes(each));
}

export function hasEnded({ phase }: ClusterPod): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

/** @throws UserError that says why a container, which may be the pod's init container, doesn't run. */
export function requireRunning(pod: ClusterPod, container: string): void {
  const { status, name, namespace } = pod;
  const state = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].find(
    (each) => each.name === container,
  )?.state;
  if (state?.running !== undefined) return;
  throw new UserError(
    `container ${container} of pod ${name}.${namespace} isn't running: ${whyNot(pod, state)}`,
    `kubectl -n ${namespace} describe pod ${name} tells more`,
  );
}

function whyNot({ phase, status }: ClusterPod, state: ContainerStatus["state"]): string {
  const { waiting, terminated } = state ?? {};
  const told = (reason: string, message: string | undefined): string =>
    message === undefined || message === "" ? reason : `${reason}: ${message}`;
  if (waiting?.reason !== undefined) return told(waiting.reason, waiting.message);
  if (terminated !== undefined) return `${terminated.reason ?? "ended"}, exit code ${terminated.exitCode ?? "unknown"}`;
  const unscheduled = status.conditions?.find((each) => each.type === "PodScheduled" && each.status === "False");
  return told(`the pod is ${status.reason ?? phase}`, status.message ?? unscheduled?.message);
}
