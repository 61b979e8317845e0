// The Deployment of the controller, filled from the values.
import { Port } from "../../xds/names.ts";
import type { Deployment, PodSpec } from "../kube-objects.ts";
import type { InstallValues } from "./install-values.ts";
import { canonicalQuantity } from "./quantity.ts";

type PodFields = PodSpec & Readonly<Record<string, unknown>>;

/** What `meshctl controller` is started with; flags of commands/plane/controller.ts. */
export function controllerArgs(values: InstallValues): string[] {
  return [
    "controller",
    `--trust-domain=${values.trustDomain}`,
    `--cluster-domain=${values.clusterDomain}`,
    `--root-namespace=${values.namespace}`,
    `--cluster-id=${values.clusterId}`,
    `--secure-address=[::]:${Port.xdsSecure}`,
    `--webhook-address=[::]:${Port.webhooks}`,
    `--sidecar-image=${values.image}`,
    `--monitoring-address=[::]:${Port.monitoring}`,
    `--log-level=${values.controller.logLevel}`,
    `--log-format=${values.controller.logFormat}`,
  ];
}

export function controllerDeployment(template: Deployment, values: InstallValues): Deployment {
  const { controller } = values;
  const pod = template.spec.template;
  const [container] = pod.spec.containers;
  if (container === undefined) throw new Error("templates/install/deployment.yaml has no container");
  const { name, args: _args, ...rest } = container;
  const spec: PodFields = {
    ...pod.spec,
    containers: [
      {
        name,
        image: values.image,
        imagePullPolicy: values.imagePullPolicy,
        args: controllerArgs(values),
        ...rest,
        resources: resourcesOf(values),
      },
    ],
    ...(values.imagePullSecrets.length === 0 ? {} : { imagePullSecrets: values.imagePullSecrets.map((each) => ({ name: each })) }),
    ...(controller.antiAffinity ? { affinity: apart(pod.metadata?.labels ?? {}, template.spec.selector?.matchLabels ?? {}) } : {}),
    ...(Object.keys(controller.nodeSelector).length === 0 ? {} : { nodeSelector: controller.nodeSelector }),
    ...(controller.tolerations.length === 0 ? {} : { tolerations: controller.tolerations }),
    ...(controller.priorityClassName === "" ? {} : { priorityClassName: controller.priorityClassName }),
  };
  // The autoscaler's number would be undone by each apply.
  const replicas = controller.autoscaler.enabled ? {} : { replicas: controller.replicas };
  return { ...template, spec: { ...replicas, ...template.spec, template: { ...pod, spec } } };
}

function resourcesOf({ controller: { resources } }: InstallValues): Record<string, Record<string, string>> {
  const written = (amounts: { readonly cpu: string; readonly memory: string }): Record<string, string> =>
    Object.fromEntries(Object.entries(amounts).flatMap(([name, text]) => (text === "" ? [] : [[name, canonicalQuantity(text)]])));
  const limits = written(resources.limits);
  return { requests: written(resources.requests), ...(Object.keys(limits).length === 0 ? {} : { limits }) };
}

/** On different nodes, and better still in different zones; preferred only, so that a small cluster can have it, too. */
function apart(labels: Readonly<Record<string, string>>, selector: Readonly<Record<string, string>>): unknown {
  const matchLabels = Object.fromEntries(Object.keys(selector).map((key) => [key, labels[key] ?? ""]));
  const term = (weight: number, topologyKey: string): unknown => ({
    weight,
    podAffinityTerm: { labelSelector: { matchLabels }, topologyKey },
  });
  return {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [term(100, "kubernetes.io/hostname"), term(50, "topology.kubernetes.io/zone")],
    },
  };
}
