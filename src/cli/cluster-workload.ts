// Which pod of a cluster a workload argument means. Asks for as little as it can: a pod's own name needs only that pod.
import { closestWord } from "../common/closest-word.ts";
import { UserError } from "../common/user-error.ts";
import { fromThrown } from "../kube/api-error.ts";
import type { KubeObjects } from "../kube/objects.ts";
import type { KubeObject } from "../kube/resource-kind.ts";
import { hasEnded, toClusterPod, type ClusterPod } from "./cluster-pods.ts";
import { resolveWorkload, type ServiceFacts, type WorkloadArgument } from "./workload.ts";

type Argument = WorkloadArgument & { readonly namespace: string };

const POD = { apiVersion: "v1", kind: "Pod" } as const;
/** What may be there without a pod. */
const OWNERS = [
  { apiVersion: "apps/v1", kind: "Deployment" },
  { apiVersion: "apps/v1", kind: "StatefulSet" },
  { apiVersion: "apps/v1", kind: "DaemonSet" },
  { apiVersion: "v1", kind: "Service" },
] as const;

/** @throws UserError when there is none; ApiError when the API server doesn't answer. */
export async function findClusterPod(objects: KubeObjects, argument: Argument): Promise<ClusterPod> {
  const { kind, name, namespace } = argument;
  if (kind === undefined || kind === "Pod") {
    const pod = await objects.get({ ...POD, namespace, name });
    if (pod !== undefined) return toClusterPod(pod);
  }
  const [pods = [], services] = await Promise.all([objects.list(POD, { namespace }), readServices(objects, argument)]);
  const inventory = { pods: pods.map(toClusterPod).filter((pod) => !hasEnded(pod)), services };
  try {
    return resolveWorkload(argument, inventory);
  } catch (error) {
    throw (await whyNone(objects, argument, inventory.pods.length === 0)) ?? error;
  }
}

interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly { readonly targetRef?: { readonly kind?: string; readonly name?: string } }[] | null;
}

/** The Service of the name with the pods behind it; none where only pods may be read. */
async function readServices(objects: KubeObjects, { kind, name, namespace }: Argument): Promise<ServiceFacts[]> {
  if (kind !== undefined && kind !== "Service") return [];
  const labelSelector = `kubernetes.io/service-name=${name}`;
  const slices = await optional(() =>
    objects.list({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" }, { namespace, labelSelector }),
  );
  if (slices === undefined || slices.length === 0) return [];
  const endpoints = (slices as readonly EndpointSlice[]).flatMap((each) => each.endpoints ?? []);
  return [{ name, namespace, pods: endpoints.flatMap(({ targetRef }) => (targetRef?.kind === "Pod" ? (targetRef.name ?? []) : [])) }];
}

/** Better words for a name without pods: it may be there, and have none; or its namespace isn't. */
async function whyNone(objects: KubeObjects, argument: Argument, isEmpty: boolean): Promise<UserError | undefined> {
  const { kind, name, namespace } = argument;
  const asked = OWNERS.filter((each) => kind === undefined || each.kind === kind);
  const owners = await Promise.all(asked.map((each) => optional(() => objects.get({ ...each, namespace, name }))));
  const owner = asked.find((_, index) => owners[index] !== undefined);
  if (owner !== undefined) {
    const label = owner.kind.toLowerCase();
    return new UserError(`${label}/${name}.${namespace} has no pods`, `kubectl -n ${namespace} describe ${label} ${name} tells why`);
  }
  if (!isEmpty) return undefined;
  const namespaces = await optional(() => objects.list({ apiVersion: "v1", kind: "Namespace" }));
  const names = (namespaces ?? []).map((each) => each.metadata.name);
  if (namespaces === undefined || names.includes(namespace)) return undefined;
  const near = closestWord(namespace, names);
  return new UserError(
    `there is no namespace ${namespace}`,
    near === undefined ? "kubectl get namespaces lists them" : `did you mean ${near}?`,
  );
}

/** undefined where this user may not read it. */
async function optional<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (fromThrown(error).code === 403) return undefined;
    throw error;
  }
}
