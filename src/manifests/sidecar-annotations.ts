// What a pod's annotations say of its sidecar's container, by Istio's names and our own.
import { failure, success, type Problem, type Result } from "../common/result.ts";
import { findAnnotation, problemOf, readBoolean, readCount, type Annotations, type GivenAnnotation } from "./annotation-values.ts";
import { parseQuantity } from "./install/quantity.ts";
import type { Volume, VolumeMount } from "./kube-objects.ts";

export interface SidecarSettings {
  readonly image: string | undefined;
  readonly nativeSidecar: boolean | undefined;
  readonly resources: SidecarResources | undefined;
  readonly rewritesProbes: boolean;
  /** Flags of `meshctl proxy`. */
  readonly flags: readonly string[];
  /** Fields of the sidecar's readiness probe. */
  readonly readiness: Readonly<Record<string, number>>;
  readonly volumes: readonly Volume[];
  readonly volumeMounts: readonly VolumeMount[];
}

export interface SidecarResources {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

const PREFIX = "sidecar.istio.io/";
const READINESS_PREFIX = "readiness.status.sidecar.istio.io/";

/** Istio's, in the API server's spelling of 2000m and 1024Mi. */
export const DEFAULT_RESOURCES: SidecarResources = {
  requests: { cpu: "100m", memory: "128Mi" },
  limits: { cpu: "2", memory: "1Gi" },
};

/** RFC 1123 label. */
const VOLUME_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A limit behind the request of the same. */
const AMOUNTS = [
  { name: "proxyCPU", list: "requests", resource: "cpu" },
  { name: "proxyMemory", list: "requests", resource: "memory" },
  { name: "proxyCPULimit", list: "limits", resource: "cpu" },
  { name: "proxyMemoryLimit", list: "limits", resource: "memory" },
] as const;

/** Envoy's words for the levels, which are Istio's, and ours. */
const LOG_LEVELS: Readonly<Record<string, string>> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warning: "warn",
  warn: "warn",
  error: "error",
  critical: "fatal",
  fatal: "fatal",
};

const READINESS = [
  { name: "initialDelaySeconds", least: 0 },
  { name: "periodSeconds", least: 1 },
  { name: "failureThreshold", least: 1 },
] as const;

/** Everything that is given, or every annotation that makes no sense. One amount given, and none of the defaults holds, as in Istio. */
export function sidecarSettings(annotations: Annotations): Result<SidecarSettings> {
  const problems: Problem[] = [];
  const find = (name: string): GivenAnnotation | undefined => findAnnotation(annotations, PREFIX, name);
  const refuse = (given: GivenAnnotation, what: string): void => {
    problems.push(problemOf(given, `${JSON.stringify(given.text)} ${what}`));
  };
  const image = find("proxyImage");
  if (image !== undefined && !/^\S+$/.test(image.text)) refuse(image, "is not the name of an image");
  const mode = find("interceptionMode");
  if (mode !== undefined && mode.text !== "REDIRECT") refuse(mode, "is no interception mode that there is: only REDIRECT");
  const templates = annotations["inject.istio.io/templates"];
  if (templates !== undefined && templates !== "sidecar")
    problems.push(
      problemOf({ key: "inject.istio.io/templates", text: templates }, `${JSON.stringify(templates)}: there is only "sidecar"`),
    );
  const level = find("logLevel");
  if (level !== undefined && LOG_LEVELS[level.text] === undefined) refuse(level, `is none of ${Object.keys(LOG_LEVELS).join(", ")}`);
  const readiness: Record<string, number> = {};
  for (const { name, least } of READINESS) {
    const count = readCount(annotations, READINESS_PREFIX, name, least, problems);
    if (count !== undefined) readiness[name] = count;
  }
  const settings: SidecarSettings = {
    image: image?.text,
    nativeSidecar: readBoolean(annotations, PREFIX, "nativeSidecar", problems),
    resources: readResources(find, refuse),
    rewritesProbes: readBoolean(annotations, PREFIX, "rewriteAppHTTPProbers", problems) ?? true,
    flags: level === undefined ? [] : ["--log-level", LOG_LEVELS[level.text] ?? ""],
    readiness,
    volumes: readNamed(find("userVolume"), problems),
    volumeMounts: readMounts(find("userVolumeMount"), problems),
  };
  return problems.length > 0 ? failure(problems) : success(settings);
}

function readResources(
  find: (name: string) => GivenAnnotation | undefined,
  refuse: (given: GivenAnnotation, what: string) => void,
): SidecarResources | undefined {
  const resources: Record<"requests" | "limits", Record<string, string>> = { requests: {}, limits: {} };
  for (const { name, list, resource } of AMOUNTS) {
    const amount = find(name);
    if (amount === undefined) continue;
    const quantity = parseQuantity(amount.text) ?? 0n;
    const request = resources.requests[resource];
    if (quantity <= 0n) refuse(amount, "is not a quantity such as 100m or 128Mi");
    else if (list === "limits" && request !== undefined && (parseQuantity(request) ?? 0n) > quantity)
      refuse(amount, `is a limit below the ${request} that is asked for`);
    resources[list][resource] = amount.text;
  }
  const given = Object.fromEntries(Object.entries(resources).filter(([, amounts]) => Object.keys(amounts).length > 0));
  return Object.keys(given).length > 0 ? given : undefined;
}

function readMounts(given: GivenAnnotation | undefined, problems: Problem[]): readonly VolumeMount[] {
  const mounts = readNamed(given, problems) as readonly VolumeMount[];
  for (const { name, mountPath } of mounts)
    if (given !== undefined && (typeof mountPath !== "string" || !mountPath.startsWith("/")))
      problems.push(problemOf(given, `${name} has no mountPath, such as "/etc/${name}"`));
  return mounts;
}

/** Istio's form of userVolume and userVolumeMount: a JSON object, name → the rest. */
function readNamed(given: GivenAnnotation | undefined, problems: Problem[]): readonly { readonly name: string }[] {
  if (given === undefined) return [];
  const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  try {
    const json: unknown = JSON.parse(given.text);
    if (isObject(json) && Object.values(json).every(isObject)) {
      const wrong = Object.keys(json).find((name) => !VOLUME_NAME.test(name));
      if (wrong !== undefined) problems.push(problemOf(given, `${JSON.stringify(wrong)} is not the name of a volume`));
      return Object.entries(json).map(([name, rest]) => ({ ...(rest as object), name }));
    }
  } catch {
    // Said below.
  }
  problems.push(problemOf(given, "is no JSON object of objects by name"));
  return [];
}
