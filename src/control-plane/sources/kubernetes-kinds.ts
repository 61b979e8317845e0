// Every kind that the controller reads from a cluster, as the API server names it.
import type { ResourceKind } from "../../kube/resource-kind.ts";
import { MESH_RESOURCES } from "../../manifests/crd/mesh-resources.ts";
import { MESH_KINDS } from "../../mesh-api/mesh-kinds.ts";
import type { MeshKind } from "../../mesh-api/mesh-kinds.ts";
import type { KubernetesKind } from "../ingest/mesh-object.ts";

const BUILT_IN: Readonly<Record<KubernetesKind, Omit<ResourceKind, "kind">>> = {
  Namespace: { group: "", versions: ["v1"], plural: "namespaces" },
  Node: { group: "", versions: ["v1"], plural: "nodes" },
  ServiceAccount: { group: "", versions: ["v1"], plural: "serviceaccounts" },
  Pod: { group: "", versions: ["v1"], plural: "pods" },
  Service: { group: "", versions: ["v1"], plural: "services" },
  EndpointSlice: { group: "discovery.k8s.io", versions: ["v1"], plural: "endpointslices" },
};

/** Of these only the one with the mesh's configuration is read. */
export const CONFIG_MAPS: ResourceKind = { kind: "ConfigMap", group: "", versions: ["v1"], plural: "configmaps" };

export const WATCHED_KINDS: readonly ResourceKind[] = [
  CONFIG_MAPS,
  ...Object.entries(BUILT_IN).map(([kind, resource]) => ({ kind, ...resource })),
  ...(Object.keys(MESH_KINDS) as MeshKind[]).map((kind) => {
    const { group, versions } = MESH_KINDS[kind];
    return { kind, group, versions, plural: MESH_RESOURCES[kind].plural };
  }),
];
