// Pods that have a sidecar and still run: without a control plane they can't renew their certificates.
import { retried } from "../../../kube/retried.ts";
import { INJECTED_ANNOTATION } from "../../../manifests/injection-record.ts";
import type { KubeObject } from "../../../manifests/kube-objects.ts";
import { toUserError } from "./open-cluster.ts";
import type { Cluster } from "./open-cluster.ts";

/** Injection gives it to every pod that doesn't have it; Istio's pods have it, too. */
const LABEL = "security.istio.io/tlsMode";

/** `namespace/name`, sorted. @throws UserError */
export async function meshedPods({ connection, objects, clock }: Cluster): Promise<string[]> {
  let pods: readonly KubeObject[];
  try {
    pods = (await retried(clock, () => objects.list({ apiVersion: "v1", kind: "Pod" }, { labelSelector: LABEL }))) ?? [];
  } catch (error) {
    throw toUserError(error, connection, "list the meshed Pods of all namespaces");
  }
  return pods
    .filter((pod) => pod.metadata.annotations?.[INJECTED_ANNOTATION] !== undefined && !hasEnded(pod))
    .map(({ metadata }) => `${metadata.namespace ?? ""}/${metadata.name ?? ""}`)
    .sort();
}

/** A Job's pod that is done stays as long as the Job. */
function hasEnded(pod: KubeObject): boolean {
  const { phase } = ((pod as { readonly status?: unknown }).status ?? {}) as { readonly phase?: string };
  return phase === "Succeeded" || phase === "Failed";
}
