// What the values are where nobody says otherwise, and how they become one set: profile, then files, then --set.
import { VERSION } from "../../common/version.ts";
import { DEFAULT_CLUSTER_DOMAIN, DEFAULT_TRUST_DOMAIN, MESH_NAMESPACE } from "../../xds/names.ts";
import type { InstallValues, Profile, ValuesLayer } from "./install-values.ts";
import { parseQuantity } from "./quantity.ts";

const DEFAULTS: InstallValues = {
  profile: "default",
  namespace: MESH_NAMESPACE,
  image: `meshctl:${VERSION}`,
  imagePullPolicy: "IfNotPresent",
  imagePullSecrets: [],
  trustDomain: DEFAULT_TRUST_DOMAIN,
  clusterDomain: DEFAULT_CLUSTER_DOMAIN,
  clusterId: "Kubernetes",
  accessLog: "",
  pathNormalization: "BASE",
  protocolDetectionTimeout: "5s",
  controller: {
    replicas: 1,
    logLevel: "info",
    logFormat: "json",
    // No limit of CPU: a controller that is held back serves old configuration.
    resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { cpu: "", memory: "1Gi" } },
    antiAffinity: false,
    minAvailable: 0,
    autoscaler: { enabled: false, minReplicas: 3, maxReplicas: 5, targetCpuPercent: 80 },
    nodeSelector: {},
    tolerations: [],
    priorityClassName: "",
  },
  // A pod of the mesh never starts without its sidecar in silence.
  webhook: { failurePolicy: "Fail" },
};

const PROFILE_LAYERS: Readonly<Record<Profile, ValuesLayer>> = {
  default: {},
  ha: {
    controller: {
      replicas: 3,
      resources: { requests: { cpu: "500m", memory: "512Mi" }, limits: { memory: "2Gi" } },
      antiAffinity: true,
      minAvailable: 1,
      autoscaler: { enabled: true },
    },
  },
  minimal: {
    controller: { resources: { requests: { cpu: "10m", memory: "128Mi" }, limits: { memory: "512Mi" } } },
  },
};

export interface ResolvedValues {
  readonly values: InstallValues;
  /** What was given, without what a profile or nobody says: the next version may know better defaults. Keys are sorted. */
  readonly given: ValuesLayer;
  /** What the values contradict each other in. */
  readonly problems: readonly string[];
}

/** @param layers valid ones; a later one has the last word. */
export function resolveValues(layers: readonly ValuesLayer[]): ResolvedValues {
  const given = sortKeys(layers.reduce<ValuesLayer>((sum, each) => merge(sum, each), {})) as ValuesLayer;
  const values = merge(merge(DEFAULTS, PROFILE_LAYERS[given.profile ?? "default"]), given);
  return { values, given, problems: contradictions(values) };
}

function contradictions({ controller }: InstallValues): string[] {
  const { autoscaler, resources, minAvailable, replicas } = controller;
  const problems: string[] = [];
  if (autoscaler.enabled && autoscaler.maxReplicas < autoscaler.minReplicas)
    problems.push(`controller.autoscaler.maxReplicas: ${autoscaler.maxReplicas} is less than minReplicas, ${autoscaler.minReplicas}`);
  const least = autoscaler.enabled ? autoscaler.minReplicas : replicas;
  if (minAvailable >= least && minAvailable > 0)
    problems.push(`controller.minAvailable: ${minAvailable} of ${least} replicas, so that no node could ever be drained`);
  for (const name of ["cpu", "memory"] as const) {
    const [most, asked] = [parseQuantity(resources.limits[name]), parseQuantity(resources.requests[name])];
    if (most !== undefined && asked !== undefined && most < asked)
      problems.push(
        `controller.resources.limits.${name}: ${resources.limits[name]} is less than is requested, ${resources.requests[name]}`,
      );
  }
  return problems;
}

/** Maps are merged, everything else is replaced. */
function merge<T>(base: T, over: unknown): T {
  if (!isMap(base) || !isMap(over)) return (over === undefined ? base : over) as T;
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) if (value !== undefined) result[key] = merge(result[key], value);
  return result as T;
}

function sortKeys(value: unknown): unknown {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sortKeys(value[key])]),
  );
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
