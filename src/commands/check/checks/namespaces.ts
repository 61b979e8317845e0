// The namespaces that are meshed: does each let our pods in, say one thing, and belong to this mesh alone?
import { INSTALLATION_LABEL } from "../../../manifests/install/installation-label.ts";
import { decideInjection } from "../../../manifests/injection-decision.ts";
import { podSecurityWarning } from "../../../manifests/pod-security.ts";
import type { Category, Finding } from "../check-list.ts";
import { valueOf } from "../gathered.ts";
import { isSelected } from "../label-selector.ts";
import type { ClusterState, KubeObject, WebhookConfiguration } from "../cluster-state.ts";

const SWITCHES = ["meshctl.io/inject", "istio-injection", "linkerd.io/inject"] as const;
const WORDS: ReadonlySet<string> = new Set(["enabled", "disabled", "true", "false", "ingress", ""]);

export const namespaces: Category<ClusterState> = {
  name: "meshed-namespaces",
  checks: [
    {
      description: "meshed namespaces let the container in that captures traffic",
      hint: "pod-security",
      severity: "error",
      find: (state) =>
        meshedNamespaces(state).flatMap(({ metadata }) =>
          podSecurityWarning(metadata.name ?? "", metadata).map((message) => ({
            message,
            remedy: `kubectl label --overwrite namespace ${metadata.name} pod-security.kubernetes.io/enforce=privileged`,
          })),
        ),
    },
    {
      description: "labels and annotations about injection can be understood",
      hint: "injection-labels",
      severity: "warning",
      find: (state) => [...valueOf(state.namespaces).flatMap(undecided), ...meshedNamespaces(state).flatMap(annotated)],
    },
    {
      description: "no other mesh takes the same namespaces",
      hint: "other-meshes",
      severity: "error",
      find: (state) => meshedNamespaces(state).flatMap((each) => otherMeshes(each, valueOf(state.webhooks))),
    },
  ],
};

/** Those whose pods get a sidecar where the pods themselves say nothing. In one that is being deleted nothing can be made. */
export function meshedNamespaces(state: ClusterState): KubeObject[] {
  return valueOf(state.namespaces).filter(
    ({ metadata }) =>
      metadata.name !== state.installation.namespace &&
      !("deletionTimestamp" in metadata) &&
      decideInjection({ spec: { containers: [] } }, metadata.name ?? "", metadata, "disabled").inject,
  );
}

function undecided({ metadata }: KubeObject): Finding[] {
  return SWITCHES.flatMap((key) =>
    [["label", metadata.labels?.[key]] as const, ["annotation", metadata.annotations?.[key]] as const].flatMap(([what, text]) =>
      text === undefined || WORDS.has(text)
        ? []
        : [
            {
              message: `${what} ${key}=${JSON.stringify(text)} of namespace ${metadata.name} says neither yes nor no, and decides nothing`,
              remedy: `kubectl ${what === "label" ? "label" : "annotate"} --overwrite namespace ${metadata.name} ${key}=enabled`,
            },
          ],
    ),
  );
}

/** Linkerd is switched on by an annotation; what a webhook is asked about is chosen by labels. */
function annotated({ metadata: { name, labels, annotations } }: KubeObject): Finding[] {
  const key = SWITCHES.find((each) => annotations?.[each] !== undefined);
  if (key === undefined || SWITCHES.some((each) => labels?.[each] !== undefined)) return [];
  const message = `namespace ${name} asks for sidecars by an annotation, ${key}=${annotations?.[key]}; only meshctl inject sees it, the webhook needs a label`;
  return [{ message, remedy: `kubectl label namespace ${name} meshctl.io/inject=enabled` }];
}

function otherMeshes({ metadata }: KubeObject, configurations: readonly WebhookConfiguration[]): Finding[] {
  const { name, labels, annotations } = metadata;
  const own = `kubectl label --overwrite namespace ${name} meshctl.io/inject=enabled`;
  const findings: Finding[] = [];
  const istio = injectorOf(/istio\.io$/, configurations, labels);
  if (istio !== undefined)
    findings.push({
      message: `Istio's webhook ${istio} injects namespace ${name} too: pods get two sidecars, or only Istio's`,
      remedy: `kubectl label namespace ${name} istio-injection- istio.io/rev- && ${own}`,
    });
  const isLinkerds = ["enabled", "ingress"].includes(annotations?.["linkerd.io/inject"] ?? "");
  const linkerd = isLinkerds ? injectorOf(/linkerd\.io$/, configurations, labels) : undefined;
  if (linkerd !== undefined)
    findings.push({
      message: `Linkerd's webhook ${linkerd} injects namespace ${name} too: pods get two sidecars, or only Linkerd's`,
      remedy: `kubectl annotate namespace ${name} linkerd.io/inject- && ${own}`,
    });
  if (labels?.["istio.io/dataplane-mode"] === "ambient")
    findings.push({
      message: `namespace ${name} is in Istio's ambient mode: a node's ztunnel captures what our sidecars send`,
      remedy: `kubectl label namespace ${name} istio.io/dataplane-mode-`,
    });
  return findings;
}

/** The first webhook of another mesh that is called for pods of the namespace. */
function injectorOf(
  domain: RegExp,
  configurations: readonly WebhookConfiguration[],
  labels: Readonly<Record<string, string>> | undefined,
): string | undefined {
  for (const { kind, metadata, webhooks = [] } of configurations) {
    if (kind !== "MutatingWebhookConfiguration" || metadata.labels?.[INSTALLATION_LABEL] !== undefined) continue;
    const found = webhooks.find(
      (each) => domain.test(each.name) && isSelected(each.namespaceSelector, labels) && isSelected(each.objectSelector, {}),
    );
    if (found !== undefined) return `${metadata.name}/${found.name}`;
  }
  return undefined;
}
