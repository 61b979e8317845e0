// Does this pod get a sidecar? Our own label or annotation, Istio's and Linkerd's; the first answer wins
// (order of reference behaviour: Istio's injection webhook).
import type { ObjectMeta, PodTemplate } from "./kube-objects.ts";

export interface InjectionDecision {
  readonly inject: boolean;
  readonly decidedBy: "host-network" | "system-namespace" | "namespace" | "pod" | "policy";
  /** For people: "annotation linkerd.io/inject=disabled on the pod". */
  readonly reason: string;
}

/** Nothing in them is ever meshed. */
export const SYSTEM_NAMESPACES: ReadonlySet<string> = new Set(["kube-system", "kube-public", "kube-node-lease", "local-path-storage"]);

const YES = new Set(["enabled", "true"]);
const NO = new Set(["disabled", "false"]);

function verdict(key: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  // Linkerd's third word: a sidecar that routes by Host, which ours does anyway.
  if (key === "linkerd.io/inject" && text === "ingress") return true;
  return YES.has(text) ? true : NO.has(text) ? false : undefined;
}

/** Key by key, the label before the annotation of the same name. */
const POD_KEYS = ["meshctl.io/inject", "sidecar.istio.io/inject", "linkerd.io/inject"] as const;
const NAMESPACE_KEYS = ["meshctl.io/inject", "istio-injection", "linkerd.io/inject"] as const;

function firstVerdict(
  metadata: ObjectMeta | undefined,
  keys: readonly string[],
  where: "namespace" | "pod",
): InjectionDecision | undefined {
  for (const key of keys) {
    for (const [kind, values] of [["label", metadata?.labels] as const, ["annotation", metadata?.annotations] as const]) {
      const inject = verdict(key, values?.[key]);
      if (inject !== undefined) return { inject, decidedBy: where, reason: `${kind} ${key}=${values?.[key]} on the ${where}` };
    }
  }
  return undefined;
}

/** Labels and annotations that name injection with a word that is neither yes nor no, and so decide nothing. */
export function undecidedWords(metadata: ObjectMeta | undefined): string[] {
  return POD_KEYS.flatMap((key) =>
    [["label", metadata?.labels?.[key]] as const, ["annotation", metadata?.annotations?.[key]] as const].flatMap(([kind, text]) =>
      text === undefined || text === "" || verdict(key, text) !== undefined
        ? []
        : [
            `${kind} ${key}=${JSON.stringify(text)} says neither yes nor no; write "${key.startsWith("sidecar.") ? "true" : "enabled"}" or "${key.startsWith("sidecar.") ? "false" : "disabled"}"`,
          ],
    ),
  );
}

/**
 * @param namespace the pod's namespace; its metadata where a Namespace object is known.
 * @param policy what holds when neither pod nor namespace says anything.
 */
export function decideInjection(
  pod: PodTemplate,
  namespace: string,
  namespaceMeta: ObjectMeta | undefined,
  policy: "enabled" | "disabled",
): InjectionDecision {
  if (pod.spec.hostNetwork === true) return { inject: false, decidedBy: "host-network", reason: "hostNetwork: true" };
  if (SYSTEM_NAMESPACES.has(namespace)) return { inject: false, decidedBy: "system-namespace", reason: `system namespace ${namespace}` };
  const ofNamespace = firstVerdict(namespaceMeta, NAMESPACE_KEYS, "namespace");
  if (ofNamespace?.inject === false) return ofNamespace;
  const ofPod = firstVerdict(pod.metadata, POD_KEYS, "pod");
  return ofPod ?? ofNamespace ?? { inject: policy === "enabled", decidedBy: "policy", reason: `policy ${policy}` };
}
