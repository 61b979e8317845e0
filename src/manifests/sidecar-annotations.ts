// What a pod's annotations say of its sidecar's container, by Istio's names and our own.
import { failure, success, type Problem, type Result } from "../common/result.ts";
import { parseQuantity } from "./part-normalization.ts";

export interface SidecarSettings {
  readonly image: string | undefined;
  readonly nativeSidecar: boolean | undefined;
  readonly resources: SidecarResources | undefined;
}

export interface SidecarResources {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

type Annotations = Readonly<Record<string, string>>;

/** Istio's, in the API server's spelling of 2000m and 1024Mi. */
export const DEFAULT_RESOURCES: SidecarResources = {
  requests: { cpu: "100m", memory: "128Mi" },
  limits: { cpu: "2", memory: "1Gi" },
};

const AMOUNTS = [
  { name: "proxyCPU", list: "requests", resource: "cpu" },
  { name: "proxyMemory", list: "requests", resource: "memory" },
  { name: "proxyCPULimit", list: "limits", resource: "cpu" },
  { name: "proxyMemoryLimit", list: "limits", resource: "memory" },
] as const;

/** An annotation by our own name or by Istio's; ours wins. @param prefix Istio's. */
export function findAnnotation(annotations: Annotations, prefix: string, name: string): { key: string; text: string } | undefined {
  for (const key of [`meshctl.io/${name}`, `${prefix}${name}`]) {
    const text = annotations[key];
    if (text !== undefined) return { key, text };
  }
  return undefined;
}

/** Everything that is given, or every annotation that makes no sense. One amount given, and none of the defaults holds, as in Istio. */
export function sidecarSettings(annotations: Annotations): Result<SidecarSettings> {
  const problems: Problem[] = [];
  const find = (name: string): { key: string; text: string } | undefined => findAnnotation(annotations, "sidecar.istio.io/", name);
  const refuse = (key: string, message: string): void => {
    problems.push({ path: `metadata.annotations["${key}"]`, message });
  };
  const native = find("nativeSidecar");
  if (native !== undefined && native.text !== "true" && native.text !== "false")
    refuse(native.key, `${JSON.stringify(native.text)} is neither "true" nor "false"`);
  const image = find("proxyImage");
  if (image !== undefined && !/^\S+$/.test(image.text)) refuse(image.key, `${JSON.stringify(image.text)} is not the name of an image`);
  const resources: Record<"requests" | "limits", Record<string, string>> = { requests: {}, limits: {} };
  for (const { name, list, resource } of AMOUNTS) {
    const amount = find(name);
    if (amount === undefined) continue;
    if (!((parseQuantity(amount.text) ?? 0) > 0))
      refuse(amount.key, `${JSON.stringify(amount.text)} is not a quantity such as 100m or 128Mi`);
    resources[list][resource] = amount.text;
  }
  if (problems.length > 0) return failure(problems);
  const given = Object.fromEntries(Object.entries(resources).filter(([, amounts]) => Object.keys(amounts).length > 0));
  return success({
    image: image?.text,
    nativeSidecar: native === undefined ? undefined : native.text === "true",
    resources: Object.keys(given).length > 0 ? given : undefined,
  });
}
