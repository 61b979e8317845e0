// The webhooks: does the API server reach them, and believe them?
import { INSTALLATION_LABEL } from "../../../manifests/install/installation-label.ts";
import type { Category, Finding } from "../check-list.ts";
import { NotGathered, valueOf } from "../gathered.ts";
import type { ClusterState, Webhook, WebhookConfiguration } from "../cluster-state.ts";
import { daysLeft, leadsTo, readCertificates, validityFindings } from "./certificates.ts";
import { bundleOf, referenceMap } from "./identity.ts";

/** Serving certificates live for days and renew themselves: one that is nearly over was not renewed. */
const WARN_DAYS = 0;

export const webhooks: Category<ClusterState> = {
  name: "webhooks",
  checks: [
    {
      description: "webhooks have ready endpoints",
      hint: "webhook-endpoints",
      severity: "error",
      find: (state) => {
        const services = new Set(ownWebhooks(state).map(({ webhook }) => webhook.clientConfig.service?.name ?? ""));
        const ready = services.size === 0 ? {} : valueOf(valueOf(state.controller).readyEndpoints);
        return [...services].flatMap((name) =>
          (ready[name] ?? 0) > 0
            ? []
            : [
                {
                  message: `Service ${name} of the webhooks has no ready endpoint: pods of meshed namespaces can't be created`,
                  remedy: `kubectl -n ${state.installation.namespace} get pods,endpointslices`,
                  mayPass: true,
                },
              ],
        );
      },
    },
    {
      description: "their caBundle is the mesh's CA",
      hint: "webhook-ca-bundle",
      severity: "error",
      find: (state) => ownWebhooks(state).flatMap((each) => bundleFindings(state, each)),
    },
    {
      description: "they answer over TLS with a certificate that the API server believes",
      hint: "webhook-certificate",
      severity: "error",
      find: handshakeFindings,
    },
    {
      description: "no pod starts unmeshed while they can't be reached",
      hint: "webhook-failure-policy",
      severity: "warning",
      find: (state) =>
        ownWebhooks(state).flatMap(({ configuration, webhook }): Finding[] =>
          configuration.kind !== "MutatingWebhookConfiguration" || webhook.failurePolicy !== "Ignore"
            ? []
            : [
                {
                  message: `webhook ${webhook.name} has failurePolicy Ignore: a pod that is created while it can't be reached starts without a sidecar, in silence`,
                  remedy: "meshctl check --proxy    # lists pods that were missed",
                },
              ],
        ),
    },
  ],
};

interface OwnWebhook {
  readonly configuration: WebhookConfiguration;
  readonly webhook: Webhook;
}

function ownWebhooks(state: ClusterState): OwnWebhook[] {
  return valueOf(state.webhooks)
    .filter(({ metadata }) => metadata.labels?.[INSTALLATION_LABEL] === state.installation.namespace)
    .flatMap((configuration) => (configuration.webhooks ?? []).map((webhook) => ({ configuration, webhook })));
}

function caBundleOf({ clientConfig }: Webhook): string {
  return Buffer.from(clientConfig.caBundle ?? "", "base64").toString("utf8");
}

function bundleFindings(state: ClusterState, { configuration, webhook }: OwnWebhook): Finding[] {
  const place = `${configuration.kind} ${configuration.metadata.name}, webhook ${webhook.name}`;
  const remedy = `kubectl -n ${state.installation.namespace} rollout restart deployment/controller    # the control plane writes it`;
  const bundle = readCertificates(caBundleOf(webhook));
  if (bundle === undefined) return [{ message: `${place}: its caBundle holds no certificate that can be read`, remedy }];
  if (bundle.length === 0) return [{ message: `${place}: it has no caBundle yet`, remedy, mayPass: true }];
  const map = referenceMap(state);
  const roots = map === undefined ? [] : (readCertificates(bundleOf(map)) ?? []);
  const lacking = roots.filter((root) => !bundle.some((each) => each.fingerprint256 === root.fingerprint256));
  if (lacking.length === 0) return [];
  return [
    { message: `${place}: its caBundle lacks the mesh's root certificate, so the API server refuses the webhook`, remedy, mayPass: true },
  ];
}

function handshakeFindings(state: ClusterState): Finding[] {
  const own = ownWebhooks(state);
  const [first] = own;
  if (first === undefined) return [];
  const roots = readCertificates(caBundleOf(first.webhook)) ?? [];
  const { service } = first.webhook.clientConfig;
  const host = `${service?.name}.${service?.namespace}.svc`;
  const replicas = valueOf(valueOf(state.controller).replicas);
  if (replicas.length === 0)
    throw new NotGathered(
      "no replica of the control plane runs",
      `kubectl -n ${state.installation.namespace} describe deployment controller`,
    );
  return replicas.flatMap(({ pod, webhook }): Finding[] => {
    const chain = valueOf(webhook).chain.flatMap((each) => readCertificates(each) ?? []);
    const [leaf] = chain;
    const remedy = `kubectl -n ${state.installation.namespace} delete pod ${pod}    # it signs a new certificate when it starts`;
    if (leaf === undefined) return [{ message: `${pod} shows no certificate on its webhook port`, remedy }];
    if (roots.length > 0 && !leadsTo(chain, roots))
      return [{ message: `${pod} shows a certificate that the caBundle does not verify`, remedy, mayPass: true }];
    if (leaf.checkHost(host) === undefined) return [{ message: `${pod} shows a certificate that is not for ${host}`, remedy }];
    const what = `certificate of ${pod} (${daysLeft(leaf, state.nowMs)} days left),`;
    return validityFindings(leaf, what, state.nowMs, remedy, WARN_DAYS);
  });
}
