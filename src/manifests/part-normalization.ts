// A part of a pod without what an API server adds to it, so that the same part before and after `kubectl apply` is equal.

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

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};
const QUANTITY = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/;

/** A Kubernetes quantity (`100m`, `1.5Gi`, `1e3`) as a number; undefined for what is none. */
export function parseQuantity(text: string): number | undefined {
  const match = QUANTITY.exec(text);
  if (match === null) return undefined;
  const [, digits = "", exponent = "", suffix = ""] = match;
  return Number(digits + exponent) * FACTORS[suffix]!;
}

/** Plain data with sorted keys, defaults and empty maps left out, quantities as numbers. */
export function normalizePart(value: unknown, isQuantity = false): unknown {
  if (Array.isArray(value)) return value.map((each) => normalizePart(each));
  if (typeof value !== "object" || value === null) {
    const quantity = isQuantity ? parseQuantity(String(value)) : undefined;
    return quantity ?? value;
  }
  const result: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (member === undefined || member === null || DEFAULTS[key]?.includes(member) === true) continue;
    const normal = normalizePart(member, isQuantity || key === "requests" || key === "limits");
    const isEmptyMap = typeof normal === "object" && normal !== null && !Array.isArray(normal) && Object.keys(normal).length === 0;
    if (!isEmptyMap) result[key] = normal;
  }
  return result;
}
