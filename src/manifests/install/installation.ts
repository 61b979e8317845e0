// Everything that an installation consists of, in the order in which one `kubectl apply` can create it.
import type { z } from "zod";
import { dumpYaml } from "../../common/yaml.ts";
import { MESH_CONFIG_KEY } from "../../mesh-api/mesh-config.ts";
import type { meshConfig } from "../../mesh-api/mesh-config.ts";
import { customResourceDefinitions } from "../crd/custom-resource-definition.ts";
import type { CustomResourceDefinition } from "../crd/custom-resource-definition.ts";
import type { ConfigMap, Deployment, KubeObject } from "../kube-objects.ts";
import { controllerDeployment } from "./controller-deployment.ts";
import { clusterRules, namespaceRules } from "./controller-permissions.ts";
import type { InstallValues } from "./install-values.ts";
import { INSTALLATION_LABEL } from "./installation-label.ts";
import { keptData } from "./kept-values.ts";
import type { ResolvedValues } from "./profiles.ts";
import { readTemplate } from "./template-files.ts";
import { webhookConfigurations } from "./webhook-configurations.ts";

/** The CRDs of the kinds that the mesh reads. */
export function installedCrds({ values }: ResolvedValues): CustomResourceDefinition[] {
  return customResourceDefinitions().map((each) => labelled(each, values));
}

/** All but the CRDs. No key and no certificate is in it. */
export function controlPlaneObjects({ values, given }: ResolvedValues): KubeObject[] {
  const { namespace, controller } = values;
  const template = (name: string): KubeObject => readTemplate(name);
  const inNamespace = (object: KubeObject): KubeObject => ({ ...object, metadata: { ...object.metadata, namespace } });
  const givenValues: ConfigMap = { ...readTemplate<ConfigMap>("values"), data: keptData(given) };
  const meshConfigMap: ConfigMap = {
    ...readTemplate<ConfigMap>("mesh-config"),
    data: { [MESH_CONFIG_KEY]: dumpYaml(meshConfigOf(values)) },
  };
  const bound = (name: string): KubeObject => {
    const binding = readTemplate<KubeObject & { readonly subjects: readonly object[] }>(name);
    return { ...binding, subjects: binding.subjects.map((each) => ({ ...each, namespace })) } as KubeObject;
  };
  const spec = (name: string, fields: object): KubeObject => {
    const object = readTemplate<KubeObject & { readonly spec: object }>(name);
    return { ...object, spec: { ...object.spec, ...fields } } as KubeObject;
  };
  const { autoscaler } = controller;
  const objects: KubeObject[] = [
    renamed(template("namespace"), namespace),
    inNamespace(template("service-account")),
    { ...template("cluster-role"), rules: clusterRules() } as KubeObject,
    bound("cluster-role-binding"),
    inNamespace({ ...template("role"), rules: namespaceRules() } as KubeObject),
    inNamespace(bound("role-binding")),
    inNamespace(givenValues),
    inNamespace(meshConfigMap),
    inNamespace(template("service")),
    inNamespace(controllerDeployment(readTemplate<Deployment>("deployment"), values)),
    ...(controller.minAvailable === 0 ? [] : [inNamespace(spec("disruption-budget", { minAvailable: controller.minAvailable }))]),
    ...(autoscaler.enabled ? [inNamespace(spec("autoscaler", scaling(autoscaler)))] : []),
    // Behind what answers them.
    ...webhookConfigurations(values),
  ];
  return objects.map((each) => labelled(each, values));
}

/** In the words of Istio's MeshConfig. All of it, so that whoever edits it sees what there is. */
function meshConfigOf({ accessLog, pathNormalization, protocolDetectionTimeout }: InstallValues): z.input<typeof meshConfig> {
  return { accessLogFile: accessLog, pathNormalization: { normalization: pathNormalization }, protocolDetectionTimeout };
}

/** As one stream of YAML documents. */
export function toYaml(objects: readonly KubeObject[]): string {
  return objects.map((each) => `---\n${dumpYaml(each)}`).join("");
}

function scaling({ minReplicas, maxReplicas, targetCpuPercent }: InstallValues["controller"]["autoscaler"]): object {
  const target = { type: "Utilization", averageUtilization: targetCpuPercent };
  return { minReplicas, maxReplicas, metrics: [{ type: "Resource", resource: { name: "cpu", target } }] };
}

function renamed(object: KubeObject, name: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, name } };
}

function labelled<Kind extends KubeObject>(object: Kind, { namespace }: InstallValues): Kind {
  const { name, namespace: own, labels, ...rest } = object.metadata;
  const metadata = {
    name,
    ...(own === undefined ? {} : { namespace: own }),
    labels: { [INSTALLATION_LABEL]: namespace, ...labels },
    ...rest,
  };
  return { ...object, metadata };
}
