// Kinds of Istio's groups that the cluster has and this mesh doesn't read.
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import { getJson } from "../../kube/get-json.ts";
import type { GetOptions } from "../../kube/get-json.ts";
import { isMeshGroup, isMeshKind } from "../../mesh-api/mesh-kinds.ts";

/** Sorted, each once: `Gateway (networking.istio.io)`. @throws ApiError */
export async function findUnreadKinds(connection: ClusterConnection, options: GetOptions): Promise<string[]> {
  const { groups = [] } = (await getJson(connection, "/apis", {}, options)) as {
    groups?: readonly { readonly name: string; readonly preferredVersion?: { readonly groupVersion: string } }[];
  };
  const found = new Set<string>();
  for (const { name, preferredVersion } of groups) {
    if (preferredVersion === undefined || !isMeshGroup(preferredVersion.groupVersion)) continue;
    const { resources = [] } = (await getJson(connection, `/apis/${preferredVersion.groupVersion}`, {}, options)) as {
      resources?: readonly { readonly name: string; readonly kind: string }[];
    };
    for (const each of resources) if (!each.name.includes("/") && !isMeshKind(each.kind)) found.add(`${each.kind} (${name})`);
  }
  return [...found].sort();
}
