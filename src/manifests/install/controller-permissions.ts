// What the controller may do in the cluster: list and follow the kinds that it reads, in all namespaces.
import { MESH_KINDS } from "../../mesh-api/mesh-kinds.ts";
import type { MeshKind } from "../../mesh-api/mesh-kinds.ts";
import { MESH_RESOURCES } from "../crd/mesh-resources.ts";

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const FOLLOW = ["list", "watch"] as const;

export function clusterRules(): PolicyRule[] {
  const byGroup = Map.groupBy(Object.keys(MESH_KINDS) as MeshKind[], (kind) => MESH_KINDS[kind].group);
  return [
    { apiGroups: [""], resources: ["services", "pods", "namespaces", "nodes", "serviceaccounts"], verbs: FOLLOW },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: FOLLOW },
    ...[...byGroup].map(([group, kinds]) => ({
      apiGroups: [group],
      resources: kinds.map((kind) => MESH_RESOURCES[kind].plural),
      verbs: FOLLOW,
    })),
  ];
}
