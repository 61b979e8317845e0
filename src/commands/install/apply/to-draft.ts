// The objects that manifests/ makes, as the client of the API server takes them.
import type { ObjectDraft } from "../../../kube/objects.ts";
import type { KubeObject } from "../../../manifests/kube-objects.ts";

export function toDraft(object: KubeObject): ObjectDraft {
  return object as KubeObject & ObjectDraft;
}

/** `deployment.apps/controller`, as kubectl names what it has applied. */
export function kubectlName({ apiVersion, kind, metadata }: KubeObject): string {
  const group = apiVersion.includes("/") ? `.${apiVersion.replace(/\/.*/, "")}` : "";
  return `${kind.toLowerCase()}${group}/${metadata.name ?? ""}`;
}
