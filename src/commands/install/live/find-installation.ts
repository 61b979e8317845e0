// The installation that a cluster has, by the values that it keeps, and every object of it, by its label.
import { UserError } from "../../../common/user-error.ts";
import { retried } from "../../../kube/retried.ts";
import { INSTALLATION_LABEL } from "../../../manifests/install/installation-label.ts";
import { inDeletionOrder, INSTALLED_KINDS } from "../../../manifests/install/installed-kinds.ts";
import type { InstalledKind } from "../../../manifests/install/installed-kinds.ts";
import { readKeptValues, VALUES_CONFIG_MAP } from "../../../manifests/install/kept-values.ts";
import type { KeptValues } from "../../../manifests/install/kept-values.ts";
import type { KubeObject } from "../../../manifests/kube-objects.ts";
import { toUserError } from "./open-cluster.ts";
import type { Cluster } from "./open-cluster.ts";

export interface Installation {
  readonly namespace: string;
  readonly kept: KeptValues;
}

/** @throws UserError when there is none, or more than one. */
export async function findInstallation(cluster: Cluster): Promise<Installation> {
  const fieldSelector = `metadata.name=${VALUES_CONFIG_MAP}`;
  const [found, another] = await listOurs(cluster, { apiVersion: "v1", kind: "ConfigMap" }, { fieldSelector });
  const context = cluster.connection.getCurrentContext();
  if (found === undefined)
    throw new UserError(
      `no installation in the cluster of context ${context}: no namespace has a ConfigMap ${VALUES_CONFIG_MAP} of meshctl's`,
      "meshctl install makes one; another cluster is chosen with --context",
    );
  const namespace = found.metadata.namespace ?? "";
  if (another !== undefined)
    throw new UserError(
      `both namespace ${namespace} and ${another.metadata.namespace ?? ""} have a ConfigMap ${VALUES_CONFIG_MAP}`,
      "delete the one that is not in use",
    );
  return { namespace, kept: readKeptValues(found) };
}

/** All objects that carry our label, in the order in which they are deleted. @throws UserError */
export async function listInstalled(cluster: Cluster): Promise<KubeObject[]> {
  const lists = await Promise.all(INSTALLED_KINDS.map((kind) => listOurs(cluster, kind)));
  return inDeletionOrder(lists.flat());
}

/** One request for each kind, which the API server narrows down by the label. */
async function listOurs(
  { connection, objects, clock }: Cluster,
  kind: InstalledKind,
  { fieldSelector }: { readonly fieldSelector?: string } = {},
): Promise<KubeObject[]> {
  const options = { labelSelector: INSTALLATION_LABEL, ...(fieldSelector === undefined ? {} : { fieldSelector }) };
  try {
    return (await retried(clock, () => objects.list(kind, options))) ?? [];
  } catch (error) {
    throw toUserError(error, connection, `list ${kind.kind} objects of all namespaces`);
  }
}
