// The control plane as the API server knows it, and as each replica answers for itself.
import type { ControllerFacts, DeploymentObject, KubeObject, PodObject } from "../cluster-state.ts";
import type { Gathered } from "../gathered.ts";
import type { ClusterQuestions } from "./cluster-questions.ts";
import { CONTROLLER } from "./installation.ts";
import { askReplica, type ReplicaQuestions } from "./replica.ts";

const PODS = "app.kubernetes.io/name=meshctl,app.kubernetes.io/component=controller";
const SERVICE_NAME = "kubernetes.io/service-name";

interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly { readonly addresses?: readonly string[]; readonly conditions?: { readonly ready?: boolean } }[] | null;
}

export async function gatherController(
  questions: ClusterQuestions,
  namespace: string,
  asked: ReplicaQuestions,
): Promise<Gathered<ControllerFacts>> {
  const [deployment, pods, slices] = await Promise.all([
    questions.get<DeploymentObject>({ apiVersion: "apps/v1", kind: "Deployment", namespace, name: CONTROLLER }),
    questions.list<PodObject>({ apiVersion: "v1", kind: "Pod" }, { namespace, labelSelector: PODS }),
    questions.list<EndpointSlice>({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" }, { namespace }),
  ]);
  if ("missing" in deployment) return deployment;
  const current = "value" in pods ? { value: pods.value.filter(isCurrent) } : pods;
  const running = "value" in current ? current.value.filter((each) => each.status?.phase === "Running") : [];
  const replicas = await Promise.all(running.map((each) => askReplica(questions, namespace, each.metadata.name ?? "", asked)));
  return {
    value: {
      deployment: deployment.value,
      pods: current,
      readyEndpoints: "value" in slices ? { value: countReady(slices.value) } : slices,
      replicas: "missing" in current ? current : { value: replicas },
    },
  };
}

/** Those that go, and those that were evicted, say nothing about the ones that stay. */
function isCurrent({ metadata, status }: PodObject): boolean {
  return (metadata as { deletionTimestamp?: string }).deletionTimestamp === undefined && status?.reason !== "Evicted";
}

function countReady(slices: readonly EndpointSlice[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { metadata, endpoints } of slices) {
    const name = metadata.labels?.[SERVICE_NAME];
    if (name === undefined) continue;
    // Absent means ready.
    const ready = (endpoints ?? []).filter((each) => each.conditions?.ready !== false);
    counts[name] = (counts[name] ?? 0) + ready.length;
  }
  return counts;
}
