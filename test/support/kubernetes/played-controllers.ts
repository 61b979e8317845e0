// What kube-controller-manager would do, done by the test: ServiceAccounts of namespaces, and what is left of those that go.
import assert from "node:assert/strict";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { systemClock } from "../../../src/common/clock.ts";
import { ApiError } from "../../../src/kube/api-error.ts";
import { Discovery } from "../../../src/kube/discovery.ts";
import { KubeObjects } from "../../../src/kube/objects.ts";
import { requestJson } from "../../../src/kube/request-json.ts";
import { groupPath } from "../../../src/kube/resource-kind.ts";
import { eventually } from "../eventually.ts";

const OPTIONS = { clock: systemClock, timeoutMs: 30_000 };

/** Creates what isn't there yet; what is stays as it is. */
export async function createIfAbsent(objects: KubeObjects, object: Parameters<KubeObjects["create"]>[0]): Promise<void> {
  try {
    await objects.create(object);
  } catch (error) {
    if (!(error instanceof ApiError && error.reason === "AlreadyExists")) throw error;
  }
}

/** A namespace in which pods can be made. */
export async function playNamespace(objects: KubeObjects, name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
  await createIfAbsent(objects, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  await playServiceAccount(objects, name, "default");
}

export async function playServiceAccount(objects: KubeObjects, namespace: string, name: string): Promise<void> {
  await createIfAbsent(objects, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } });
}

/** Deletes every object of a kind, pods at once: nobody would stop them. @param namespace undefined: of a kind that is in none. */
export async function deleteAll(
  connection: ClusterConnection,
  kind: { readonly apiVersion: string; readonly kind: string },
  namespace: string | undefined,
): Promise<void> {
  const found = await Discovery.of(connection).find(kind, OPTIONS);
  if (found === undefined) return;
  const within = namespace === undefined ? "" : `/namespaces/${namespace}`;
  const path = `${groupPath(kind.apiVersion)}${within}/${found.plural}`;
  await requestJson(connection, { method: "DELETE", path, query: { gracePeriodSeconds: 0 } }, OPTIONS);
}

/** Empties a namespace that somebody deletes, or has deleted, and lets it go. */
export async function playNamespaceEnd(connection: ClusterConnection, name: string): Promise<void> {
  const objects = new KubeObjects({ connection, clock: systemClock });
  const namespace = { apiVersion: "v1", kind: "Namespace", name };
  await objects.delete(namespace);
  for (const { namespaced, ...kind } of await kindsWith(connection, "deletecollection"))
    if (namespaced) await deleteAll(connection, kind, name);
  const found = await objects.get(namespace);
  if (found === undefined) return;
  await objects.replace({ apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: { finalizers: [] } }, { subresource: "finalize" });
}

interface ListedKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** Every kind of the server that can be asked for this. */
async function kindsWith(connection: ClusterConnection, verb: string): Promise<ListedKind[]> {
  const ask = (path: string): Promise<unknown> => requestJson(connection, { method: "GET", path }, OPTIONS);
  const { groups } = (await ask("/apis")) as { groups: readonly { preferredVersion: { groupVersion: string } }[] };
  const kinds: ListedKind[] = [];
  for (const apiVersion of ["v1", ...groups.map((each) => each.preferredVersion.groupVersion)]) {
    const { resources } = (await ask(groupPath(apiVersion))) as {
      resources: readonly { name: string; kind: string; namespaced: boolean; verbs: readonly string[] }[];
    };
    for (const { name, kind, namespaced, verbs } of resources)
      if (verbs.includes(verb) && !name.includes("/")) kinds.push({ apiVersion, kind, namespaced });
  }
  return kinds;
}

/** Of a cluster that has just started, once the API server has made what it makes in its first seconds. */
export async function initialInventory(connection: ClusterConnection): Promise<string[]> {
  return eventually(
    async () => {
      const found = await inventory(connection);
      assert.ok(found.includes("EndpointSlice default/kubernetes"), "no EndpointSlice of the API server itself");
      return found;
    },
    { withinMs: 60_000 },
  );
}

/** Everything in the cluster, by kind, namespace and name, but what the API server makes and removes by itself. */
export async function inventory(connection: ClusterConnection): Promise<string[]> {
  const objects = new KubeObjects({ connection, clock: systemClock });
  const found: string[] = [];
  for (const { apiVersion, kind } of await kindsWith(connection, "list")) {
    if (["Event", "ComponentStatus", "APIService"].includes(kind)) continue;
    for (const { metadata } of (await objects.list({ apiVersion, kind })) ?? [])
      found.push(`${kind} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`);
  }
  return [...new Set(found)].sort();
}
