// The webhook configurations, filled from the values. Neither has a caBundle.
import type { KubeObject } from "../kube-objects.ts";
import type { InstallValues } from "./install-values.ts";
import { readTemplate } from "./template-files.ts";

/** The names that the controller looks after; those of templates/install. */
export const INJECTOR_CONFIGURATION = "meshctl-sidecar-injector";
export const VALIDATOR_CONFIGURATION = "meshctl-validator";
/** The manager of the caBundle, by server-side apply. */
export const CA_BUNDLE_MANAGER = "meshctl-controller-webhook";

export interface SelectorTerm {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

export interface Webhook {
  readonly name: string;
  readonly clientConfig: {
    readonly service: { readonly name: string; readonly namespace: string; readonly path: string; readonly port: number };
    /** PEM in base64. */
    readonly caBundle?: string;
  };
  readonly failurePolicy: "Fail" | "Ignore";
  readonly namespaceSelector: { readonly matchExpressions?: readonly SelectorTerm[] };
  readonly [field: string]: unknown;
}

export interface WebhookConfiguration extends KubeObject {
  readonly webhooks: readonly Webhook[];
}

const NAME_LABEL = "kubernetes.io/metadata.name";

export function webhookConfigurations({ namespace, webhook }: InstallValues): WebhookConfiguration[] {
  const injector = inNamespace(readTemplate<WebhookConfiguration>("sidecar-injector"), namespace);
  const webhooks = injector.webhooks.map((each) => ({
    ...each,
    failurePolicy: webhook.failurePolicy,
    namespaceSelector: { matchExpressions: (each.namespaceSelector.matchExpressions ?? []).map((term) => without(term, namespace)) },
  }));
  return [{ ...injector, webhooks }, inNamespace(readTemplate<WebhookConfiguration>("validator"), namespace)];
}

/** The control plane must start before anybody can answer for its pods. */
function without(term: SelectorTerm, namespace: string): SelectorTerm {
  return term.key === NAME_LABEL ? { ...term, values: [...new Set([...term.values, namespace])] } : term;
}

function inNamespace(configuration: WebhookConfiguration, namespace: string): WebhookConfiguration {
  const webhooks = configuration.webhooks.map((each) => {
    const service = { ...each.clientConfig.service, namespace };
    return { ...each, clientConfig: { service } };
  });
  return { ...configuration, webhooks };
}
