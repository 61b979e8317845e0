// A pod template as a person wrote it: is it one at all, does another mesh have it, what will surprise its owner.
import { failure, success, type Problem, type Result } from "../../common/result.ts";
import { OWN_PORTS, PROXY_UID } from "../../xds/names.ts";
import type { Container, PodTemplate } from "../kube-objects.ts";
import { isJson } from "./find-pods.ts";

export interface CheckedPod {
  /** With labels and annotations that are texts, as injection reads them. */
  readonly pod: PodTemplate;
  readonly warnings: readonly string[];
}

/** Refuses what is no pod template, with every reason. */
export function checkPod(value: unknown): Result<CheckedPod> {
  if (!isJson(value) || !isJson(value["spec"])) return failure([{ path: "spec", message: "a pod template has a spec" }]);
  const { spec } = value;
  const problems: Problem[] = [];
  const containers = new Set<string>();
  checkNamed(spec, "containers", containers, problems);
  for (const [field, taken] of [["initContainers", containers] as const, ["volumes", new Set<string>()] as const])
    if ((spec[field] ?? null) !== null) checkNamed(spec, field, taken, problems);
  const metadata = value["metadata"] ?? undefined;
  if (metadata !== undefined && !isJson(metadata)) problems.push({ path: "metadata", message: "is no mapping" });
  const warnings: string[] = [];
  const texts: Record<string, Record<string, string>> = {};
  for (const field of ["labels", "annotations"] as const) {
    const map = isJson(metadata) ? (metadata[field] ?? undefined) : undefined;
    if (map === undefined) continue;
    if (!isJson(map)) problems.push({ path: `metadata.${field}`, message: "is no mapping" });
    else texts[field] = toTexts(field, map, warnings);
  }
  if (problems.length > 0) return failure(problems);
  const pod = { ...value, ...(isJson(metadata) ? { metadata: { ...metadata, ...texts } } : {}) } as unknown as PodTemplate;
  return success({ pod, warnings: [...warnings, ...surprises(pod)] });
}

/** Injection, its record and the sidecar find members by their names. @param taken names so far. */
function checkNamed(spec: Readonly<Record<string, unknown>>, field: string, taken: Set<string>, problems: Problem[]): void {
  const list: unknown = spec[field];
  const path = `spec.${field}`;
  if (!Array.isArray(list)) problems.push({ path, message: (list ?? null) === null ? "is missing" : "is no list" });
  else if (field === "containers" && list.length === 0) problems.push({ path, message: "is empty" });
  else
    for (const [index, each] of (list as readonly unknown[]).entries()) {
      const name = isJson(each) ? each["name"] : undefined;
      if (typeof name !== "string" || name === "") problems.push({ path: `${path}[${index}]`, message: "has no name" });
      else if (taken.has(name)) problems.push({ path: `${path}[${index}]`, message: `the name ${name} is given twice` });
      else taken.add(name);
    }
}

function toTexts(field: string, map: Readonly<Record<string, unknown>>, warnings: string[]): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(map)) {
    if (typeof value !== "string")
      warnings.push(`metadata.${field}[${JSON.stringify(key)}]: ${JSON.stringify(value)} is no text; Kubernetes wants it in quotes`);
    texts[key] = typeof value === "string" ? value : JSON.stringify(value);
  }
  return texts;
}

function surprises({ spec }: PodTemplate): string[] {
  const warnings: string[] = [];
  for (const { name, ports, securityContext } of spec.containers) {
    if ((securityContext?.runAsUser ?? spec.securityContext?.runAsUser) === PROXY_UID)
      warnings.push(`container ${name} runs as user ${PROXY_UID}, the sidecar's: its traffic is not captured`);
    for (const each of Array.isArray(ports) ? (ports as readonly unknown[]) : []) {
      const port = isJson(each) ? each["containerPort"] : undefined;
      if (typeof port === "number" && OWN_PORTS.has(port))
        warnings.push(`container ${name} listens on port ${port}, which the sidecar uses`);
    }
  }
  return warnings;
}

const OTHERS: readonly { readonly mesh: string; readonly names: readonly string[]; readonly image: RegExp; readonly remedy: string }[] = [
  {
    mesh: "Istio",
    names: ["istio-proxy", "istio-init", "istio-validation"],
    image: /(?:^|\/)(?:istio|istio-release)\/(?:proxyv2|proxy_init)[:@-]/,
    remedy: "take the manifest as it was before istioctl kube-inject",
  },
  {
    mesh: "Linkerd",
    names: ["linkerd-proxy", "linkerd-init", "linkerd-network-validator"],
    image: /(?:^|\/)linkerd\/(?:proxy|proxy-init)[:@]/,
    remedy: "run linkerd uninject on it first",
  },
];

/** Why this pod can have no sidecar, with what to do about it: another mesh has it, or its nodes run Windows. */
export function obstacleOf(pod: PodTemplate): { readonly word: "other-mesh" | "windows"; readonly text: string } | undefined {
  const mesh = otherMeshOf(pod);
  if (mesh !== undefined) return { word: "other-mesh", text: mesh };
  const { os, nodeSelector } = pod.spec;
  if (os?.name !== "windows" && nodeSelector?.["kubernetes.io/os"] !== "windows") return undefined;
  return { word: "windows", text: "its nodes run Windows, and the sidecar needs Linux: label the pod meshctl.io/inject=disabled" };
}

/** The other mesh that has this pod, with what to do about it. */
export function otherMeshOf({ spec }: PodTemplate): string | undefined {
  const containers: readonly Container[] = [...(spec.initContainers ?? []), ...spec.containers];
  for (const { mesh, names, image, remedy } of OTHERS) {
    const found = containers.find((each) => names.includes(each.name) || image.test(String(each.image ?? "")));
    if (found !== undefined) return `it has ${mesh}'s sidecar already (container ${found.name}): ${remedy}`;
  }
  return undefined;
}
