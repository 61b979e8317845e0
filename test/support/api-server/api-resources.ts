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
  { group: "apps", versions: ["v1"], kind: "Deployment", plural: "deployments", namespaced: true },
  { group: "discovery.k8s.io", versions: ["v1"], kind: "EndpointSlice", plural: "endpointslices", namespaced: true },
  {
    group: "apiextensions.k8s.io",
    versions: ["v1"],
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespaced: false,
  },
  { group: "coordination.k8s.io", versions: ["v1"], kind: "Lease", plural: "leases", namespaced: true },
];

export const MESH_CRDS: readonly ApiResource[] = [
  istio("networking", "VirtualService", "virtualservices", ["v1", "v1beta1", "v1alpha3"]),
  istio("networking", "DestinationRule", "destinationrules", ["v1", "v1beta1", "v1alpha3"]),
  istio("security", "PeerAuthentication", "peerauthentications", ["v1", "v1beta1"]),
];

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
