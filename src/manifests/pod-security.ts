// Pod Security of a namespace against the container that captures traffic, which needs NET_ADMIN and NET_RAW.
import type { ObjectMeta } from "./kube-objects.ts";

const ENFORCE = "pod-security.kubernetes.io/enforce";

/** Names a namespace whose level refuses that container. @param metadata of its Namespace, where that is known. */
export function podSecurityWarning(namespace: string, metadata: ObjectMeta | undefined): string[] {
  const level = metadata?.labels?.[ENFORCE];
  if (level === undefined || level === "privileged") return [];
  return [`namespace ${namespace} enforces Pod Security "${level}", which refuses NET_ADMIN: label it ${ENFORCE}=privileged`];
}
