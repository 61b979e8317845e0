// A part of a pod without what an API server adds to it, so that the same part before and after `kubectl apply` is equal.
import { parseQuantity } from "./install/quantity.ts";

/** Kubernetes' defaults of the fields that our containers and volumes have (pkg/apis/core/v1/defaults.go). */
const DEFAULTS: Readonly<Record<string, readonly unknown[]>> = {
  terminationMessagePath: ["/dev/termination-log"],
  terminationMessagePolicy: ["File"],
  imagePullPolicy: ["Always", "IfNotPresent"],
  protocol: ["TCP"],
  scheme: ["HTTP"],
  successThreshold: [1],
  timeoutSeconds: [1],
  periodSeconds: [10],
  failureThreshold: [3],
  initialDelaySeconds: [0],
  apiVersion: ["v1"],
  defaultMode: [420],
  value: [""],
};

const NANO = 1e9;

/** Where the API server mounts the token of a Pod's ServiceAccount, into every container (its admission of that name). */
const SERVICE_ACCOUNT_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

function isAddedMount(value: unknown): boolean {
  return typeof value === "object" && value !== null && "mountPath" in value && value.mountPath === SERVICE_ACCOUNT_MOUNT;
}

/** Plain data with sorted keys, defaults and empty maps left out, quantities as numbers. */
export function normalizePart(value: unknown, isQuantity = false): unknown {
  if (Array.isArray(value)) return value.map((each) => normalizePart(each));
  if (typeof value !== "object" || value === null) {
    const quantity = isQuantity ? parseQuantity(String(value)) : undefined;
    return quantity === undefined ? value : Number(quantity) / NANO;
  }
  const result: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (member === undefined || member === null || DEFAULTS[key]?.includes(member) === true) continue;
    const own: unknown = key === "volumeMounts" && Array.isArray(member) ? member.filter((each) => !isAddedMount(each)) : member;
    if (Array.isArray(own) && own.length === 0) continue;
    const normal = normalizePart(own, isQuantity || key === "requests" || key === "limits");
    const isEmptyMap = typeof normal === "object" && normal !== null && !Array.isArray(normal) && Object.keys(normal).length === 0;
    if (!isEmptyMap) result[key] = normal;
  }
  return result;
}
