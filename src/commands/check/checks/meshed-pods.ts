// Which pods have a sidecar, and whose they are: what the checks of the data plane share.
import { workloadOf } from "../../../control-plane/webhook/pod-owner.ts";
import { PROXY_CONTAINER } from "../../../manifests/injected-containers.ts";
import type { Container } from "../../../manifests/kube-objects.ts";
import { valueOf } from "../gathered.ts";
import type { ClusterState, ContainerStatus, KubeObject, PodObject } from "../cluster-state.ts";

/** Those that live: what has ended asks nothing of the mesh. */
export function livePods({ dataPlane }: ClusterState): readonly PodObject[] {
  const pods = dataPlane === undefined ? [] : valueOf(dataPlane.pods);
  return pods.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
}

export function meshedPods(state: ClusterState): PodObject[] {
  return livePods(state).filter((pod) => sidecarOf(pod) !== undefined);
}

export function sidecarOf({ spec }: PodObject): Container | undefined {
  return [...(spec.initContainers ?? []), ...spec.containers].find((each) => each.name === PROXY_CONTAINER);
}

export function statusOf({ status }: PodObject, container: string): ContainerStatus | undefined {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find((each) => each.name === container);
}

export function namespaceOf(state: ClusterState, pod: PodObject): KubeObject | undefined {
  return valueOf(state.namespaces).find((each) => each.metadata.name === pod.metadata.namespace);
}

/** Makes the workload's pods anew, by the webhook of now. */
export function restartCommand({ metadata }: PodObject): string {
  const { kind, name, namespace } = workloadOf(metadata, metadata.namespace ?? "");
  switch (kind) {
    case "Deployment":
    case "StatefulSet":
    case "DaemonSet":
      return `kubectl -n ${namespace} rollout restart ${kind.toLowerCase()}/${name}`;
    case "Pod":
      return `kubectl -n ${namespace} get pod ${name} -o yaml | kubectl replace --force -f -`;
    default:
      return `kubectl -n ${namespace} delete pod ${metadata.name}    # ${kind} ${name} makes a new one`;
  }
}

/** Opens what the pod is made from in an editor. @param change what to do there */
export function editCommand({ metadata }: PodObject, change: string): string {
  const { kind, name, namespace } = workloadOf(metadata, metadata.namespace ?? "");
  // Of a pod that stands for itself hardly a field can be changed: it is made anew from its manifest.
  if (kind === "Pod")
    return `kubectl -n ${namespace} get pod ${name} -o yaml > ${name}.yaml    # ${change}, then kubectl replace --force -f it`;
  return `kubectl -n ${namespace} edit ${kind.toLowerCase()}/${name}    # ${change}`;
}
