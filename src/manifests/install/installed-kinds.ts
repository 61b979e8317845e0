// Every kind of object that an installation has ever made in a cluster, by install or by the controller. A cluster is asked
// for these alone, by their label; a kind that is no longer made stays in the list, so that what an older version left
// behind is found. Events that the controller writes are not among them: they carry no label and expire by themselves.
import type { KubeObject } from "../kube-objects.ts";
import { ROOT_CERTIFICATE_CONFIG_MAP } from "../injected-containers.ts";

export interface InstalledKind {
  readonly apiVersion: string;
  readonly kind: string;
}

export const CRD: InstalledKind = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" };
export const NAMESPACE: InstalledKind = { apiVersion: "v1", kind: "Namespace" };

/**
 * In the order in which they are deleted. Webhook configurations go first: without the controller behind them the API server
 * would refuse pods. Then the controller's permissions, so that it can't make again what goes after them.
 */
export const INSTALLED_KINDS: readonly InstalledKind[] = [
  { apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingWebhookConfiguration" },
  { apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration" },
  { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding" },
  { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding" },
  { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole" },
  { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role" },
  { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler" },
  { apiVersion: "policy/v1", kind: "PodDisruptionBudget" },
  { apiVersion: "apps/v1", kind: "Deployment" },
  { apiVersion: "v1", kind: "Service" },
  { apiVersion: "v1", kind: "ServiceAccount" },
  { apiVersion: "coordination.k8s.io/v1", kind: "Lease" },
  { apiVersion: "v1", kind: "ConfigMap" },
  { apiVersion: "v1", kind: "Secret" },
  CRD,
  NAMESPACE,
];

/** Kinds of which install prints none: no key is in an installation, and nobody holds its lease beforehand. */
const OF_THE_CONTROLLER: ReadonlySet<string> = new Set(["Secret", "Lease"]);

/** Whether the controller has made it, and would again. */
export function isMadeByController({ kind, metadata }: KubeObject): boolean {
  return OF_THE_CONTROLLER.has(kind) || (kind === "ConfigMap" && metadata.name === ROOT_CERTIFICATE_CONFIG_MAP);
}

/** The same for all versions in which an object may be written. */
export function identityOf({ apiVersion, kind, metadata }: KubeObject): string {
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  return [group, kind, metadata.namespace ?? "", metadata.name ?? ""].join("/");
}

/** What the cluster has of an installation and the given objects, all of a version's, don't: in the order of deletion. */
export function superfluous<Found extends KubeObject>(found: readonly Found[], printed: readonly KubeObject[]): Found[] {
  const wanted = new Set(printed.map(identityOf));
  return inDeletionOrder(found.filter((each) => !isMadeByController(each) && !wanted.has(identityOf(each))));
}

export function inDeletionOrder<Found extends KubeObject>(objects: readonly Found[]): Found[] {
  return INSTALLED_KINDS.flatMap(({ kind }) => objects.filter((each) => each.kind === kind));
}
