// The kinds that the API server double knows. Those of a CRD are served only while it is installed.

export interface ApiResource {
  /** Empty: the core group. */
  readonly group: string;
  readonly versions: readonly string[];
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const core = (kind: string, plural: string, namespaced = true): ApiResource => ({ group: "", versions: ["v1"], kind, plural, namespaced });
const other = (group: string, kind: string, plural: string, namespaced = true): ApiResource => ({
  group,
  versions: ["v1"],
  kind,
  plural,
  namespaced,
});
const istio = (group: string, kind: string, plural: string, versions: readonly string[]): ApiResource => ({
  group: `${group}.istio.io`,
  versions,
  kind,
  plural,
  namespaced: true,
});

export const BUILT_IN: readonly ApiResource[] = [
  core("Namespace", "namespaces", false),
  core("Node", "nodes", false),
  core("Service", "services"),
  core("ServiceAccount", "serviceaccounts"),
  core("Pod", "pods"),
  core("ConfigMap", "configmaps"),
  core("Secret", "secrets"),
  core("Event", "events"),
  core("ReplicationController", "replicationcontrollers"),
  other("apps", "Deployment", "deployments"),
  other("apps", "DaemonSet", "daemonsets"),
  other("apps", "StatefulSet", "statefulsets"),
  other("apps", "ReplicaSet", "replicasets"),
  other("batch", "Job", "jobs"),
  other("batch", "CronJob", "cronjobs"),
  other("policy", "PodDisruptionBudget", "poddisruptionbudgets"),
  { group: "autoscaling", versions: ["v2"], kind: "HorizontalPodAutoscaler", plural: "horizontalpodautoscalers", namespaced: true },
  other("discovery.k8s.io", "EndpointSlice", "endpointslices"),
  other("coordination.k8s.io", "Lease", "leases"),
  other("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", false),
  other("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false),
  other("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false),
  other("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false),
  other("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", false),
  other("rbac.authorization.k8s.io", "Role", "roles"),
  other("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
  // Only answered, never kept.
  other("authentication.k8s.io", "TokenReview", "tokenreviews", false),
  other("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews", false),
];

export const MESH_CRDS: readonly ApiResource[] = [
  istio("networking", "VirtualService", "virtualservices", ["v1", "v1beta1", "v1alpha3"]),
  istio("networking", "DestinationRule", "destinationrules", ["v1", "v1beta1", "v1alpha3"]),
  istio("security", "PeerAuthentication", "peerauthentications", ["v1", "v1beta1"]),
];

/** What `/apis` answers: every group but the core. */
export function groupList(resources: readonly ApiResource[]): Record<string, unknown> {
  const groups = [...Map.groupBy(resources, (each) => each.group)]
    .filter(([group]) => group !== "")
    .map(([name, kinds]) => {
      const versions = [...new Set(kinds.flatMap((each) => each.versions))].map((version) => ({
        groupVersion: `${name}/${version}`,
        version,
      }));
      return { name, versions, preferredVersion: versions[0] };
    });
  return { kind: "APIGroupList", apiVersion: "v1", groups };
}

/** What `/api/v1` and `/apis/GROUP/VERSION` answer; undefined for a group and version without kinds. */
export function resourceList(path: string, resources: readonly ApiResource[]): Record<string, unknown> | undefined {
  const [, isCore, core, named] = /^\/(?:(api)\/([^/]+)|apis\/([^/]+\/[^/]+))$/.exec(path) ?? [];
  const groupVersion = isCore === undefined ? named : core;
  const found = resources.filter(({ group, versions }) =>
    versions.some((each) => (group === "" ? each : `${group}/${each}`) === groupVersion),
  );
  if (found.length === 0) return undefined;
  const entries = found.flatMap(({ plural, kind, namespaced }) => [
    {
      name: plural,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
    },
    { name: `${plural}/status`, singularName: "", namespaced, kind, verbs: ["get", "patch", "update"] },
  ]);
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: entries };
}

/** A path of the API, taken apart. */
export interface ApiPath {
  readonly resource: ApiResource;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** @returns undefined for what the server doesn't serve (now). */
export function parseApiPath(path: string, resources: readonly ApiResource[]): ApiPath | undefined {
  const steps = path
    .split("/")
    .filter((each) => each !== "")
    .map(decodeURIComponent);
  const isCore = steps[0] === "api";
  if (!isCore && steps[0] !== "apis") return undefined;
  const group = isCore ? "" : (steps[1] ?? "");
  const version = steps[isCore ? 1 : 2] ?? "";
  let rest = steps.slice(isCore ? 2 : 3);
  let namespace: string | undefined;
  // `namespaces/x` is the object itself, `namespaces/x/pods` the pods in it.
  if (rest[0] === "namespaces" && rest.length > 2 && rest[2] !== "status") {
    namespace = rest[1];
    rest = rest.slice(2);
  }
  const [plural, name, subresource] = rest;
  const resource = resources.find((each) => each.group === group && each.plural === plural && each.versions.includes(version));
  return resource === undefined ? undefined : { resource, version, namespace, name, subresource };
}
