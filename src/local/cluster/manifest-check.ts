// Is this object what its kind says, as far as the local mesh runs it? And which of its fields does it not honour?
import type { FieldPath } from "../../common/yaml.ts";
import type { Container, PodSpec, PodTemplate } from "../../manifests/kube-objects.ts";
import { commandOf } from "../pod/container-spec.ts";
import { findUnknownField } from "./known-fields.ts";

export interface ObjectProblem {
  readonly path: FieldPath;
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// RFC 1123 labels; Kubernetes' names of pods and most objects may have dots too.
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** The first thing that is wrong, or undefined. Kinds that this runner doesn't run need only be objects. */
export function checkObject(value: unknown): ObjectProblem | undefined {
  if (!isRecord(value)) return { path: [], message: "not a Kubernetes object: apiVersion, kind and metadata are missing" };
  for (const field of ["apiVersion", "kind"] as const) {
    if (typeof value[field] !== "string") return { path: [field], message: `${field} is required and must be a string` };
  }
  const metadata = value["metadata"];
  if (!isRecord(metadata) || typeof metadata["name"] !== "string")
    return { path: ["metadata"], message: `${value["kind"] as string}: metadata.name is required` };
  if (!NAME.test(metadata["name"])) return { path: ["metadata", "name"], message: `"${metadata["name"]}" is not a Kubernetes name` };
  return checkKind(value, metadata["name"]) ?? checkFields(value, metadata["name"]);
}

function checkFields(value: Fields, name: string): ObjectProblem | undefined {
  const kind = value["kind"] as string;
  const unknown = findUnknownField(value, kind);
  return unknown === undefined ? undefined : { path: unknown.path, message: `${kind} ${name}: ${unknown.message}` };
}

function checkKind(value: Fields, name: string): ObjectProblem | undefined {
  switch (value["kind"]) {
    case "Deployment":
      return checkDeployment(value);
    case "Pod":
      return checkPodSpec(value["spec"], ["spec"], `Pod ${name}`);
    case "Service":
      return checkService(value, name);
    case "ConfigMap":
      return checkStringMap(value["data"], ["data"]);
    default:
      return undefined;
  }
}

function checkStringMap(value: unknown, path: FieldPath): ObjectProblem | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) return { path, message: `${path.join(".")} must be a map of strings` };
  const wrong = Object.entries(value).find(([, each]) => typeof each !== "string");
  return wrong === undefined
    ? undefined
    : { path: [...path, wrong[0]], message: `${[...path, wrong[0]].join(".")} must be a string; quote it` };
}

function checkDeployment(value: Fields): ObjectProblem | undefined {
  const name = `Deployment ${(value["metadata"] as Fields)["name"] as string}`;
  const spec = value["spec"];
  if (!isRecord(spec)) return { path: ["spec"], message: `${name}: spec is required` };
  const replicas = spec["replicas"];
  if (replicas !== undefined && (!Number.isInteger(replicas) || (replicas as number) < 0)) {
    return { path: ["spec", "replicas"], message: `${name}: replicas must be a whole number, 0 or more` };
  }
  const template = spec["template"];
  if (!isRecord(template)) return { path: ["spec"], message: `${name}: spec.template is required` };
  const labels = isRecord(template["metadata"]) ? template["metadata"]["labels"] : undefined;
  const wrongLabels = checkStringMap(labels, ["spec", "template", "metadata", "labels"]);
  if (wrongLabels !== undefined) return wrongLabels;
  const selector = isRecord(spec["selector"]) ? spec["selector"]["matchLabels"] : undefined;
  for (const [key, wanted] of Object.entries(isRecord(selector) ? selector : {})) {
    if (!isRecord(labels) || labels[key] !== wanted) {
      return {
        path: ["spec", "selector"],
        message: `${name}: its selector ${key}=${String(wanted)} does not match its own template's labels`,
      };
    }
  }
  return checkPodSpec(template["spec"], ["spec", "template", "spec"], name);
}

function checkPodSpec(spec: unknown, path: FieldPath, owner: string): ObjectProblem | undefined {
  const containers = isRecord(spec) ? spec["containers"] : undefined;
  if (!Array.isArray(containers) || containers.length === 0) return { path, message: `${owner}: at least one container is required` };
  for (const list of ["initContainers", "containers"] as const) {
    const found = (spec as Fields)[list];
    if (found === undefined) continue;
    if (!Array.isArray(found)) return { path: [...path, list], message: `${owner}: ${list} must be a list` };
    for (const [index, container] of found.entries()) {
      const wrong = checkContainer(container, owner);
      if (wrong !== undefined) return { path: [...path, list, index], message: wrong };
    }
  }
  return undefined;
}

function checkContainer(value: unknown, owner: string): string | undefined {
  if (!isRecord(value) || typeof value["name"] !== "string") return `${owner}: every container needs a name`;
  const name = value["name"];
  for (const field of ["command", "args"] as const) {
    const words = value[field];
    if (words !== undefined && !(Array.isArray(words) && words.every((word) => typeof word === "string"))) {
      return `${owner}: ${field} of container ${name} must be a list of strings`;
    }
  }
  if (commandOf(value as unknown as Container).length === 0) {
    return `${owner}: container ${name} has no command; images aren't pulled in a local mesh, so say what to run with command`;
  }
  return undefined;
}

function checkService(value: Fields, name: string): ObjectProblem | undefined {
  const spec = value["spec"];
  if (!isRecord(spec)) return { path: ["spec"], message: `Service ${name}: spec is required` };
  const ports = spec["ports"] ?? [];
  if (!Array.isArray(ports)) return { path: ["spec", "ports"], message: `Service ${name}: ports must be a list` };
  for (const [index, port] of ports.entries()) {
    const number = isRecord(port) ? port["port"] : undefined;
    if (!Number.isInteger(number) || (number as number) < 1 || (number as number) > 65535) {
      return { path: ["spec", "ports", index], message: `Service ${name}: every port needs a port from 1 to 65535` };
    }
  }
  return checkStringMap(spec["selector"], ["spec", "selector"]);
}

const POD_FIELDS = new Set([
  ...["serviceAccountName", "serviceAccount", "terminationGracePeriodSeconds", "restartPolicy", "securityContext", "initContainers"],
  ...["containers", "volumes", "nodeName", "hostNetwork", "automountServiceAccountToken", "enableServiceLinks"],
  // No meaning on one machine, and nothing is lost by leaving them aside.
  ...["affinity", "nodeSelector", "tolerations", "topologySpreadConstraints", "priorityClassName", "imagePullSecrets", "schedulerName"],
]);
const CONTAINER_FIELDS = new Set([
  ...["name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "envFrom", "ports", "readinessProbe", "startupProbe"],
  ...[
    "livenessProbe",
    "lifecycle",
    "securityContext",
    "volumeMounts",
    "restartPolicy",
    "terminationMessagePath",
    "terminationMessagePolicy",
  ],
]);
const VOLUME_FIELDS = new Set(["name", "configMap", "emptyDir", "downwardAPI", "projected", "hostPath"]);

function unknownFields(value: object, known: ReadonlySet<string>, where: string): string[] {
  return Object.keys(value)
    .filter((field) => !known.has(field))
    .map((field) => `${where}: ${field} has no effect in a local mesh`);
}

/** What of a pod won't be as in a cluster, each said in one line. */
export function unsupportedFields(template: PodTemplate, owner: string): string[] {
  const spec: PodSpec = template.spec;
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  return [
    ...unknownFields(spec, POD_FIELDS, owner),
    ...(spec.hostNetwork === true ? [`${owner}: hostNetwork has no effect in a local mesh; the pod gets a network of its own`] : []),
    ...containers.flatMap((container) => [
      ...unknownFields(container, CONTAINER_FIELDS, `${owner}, container ${container.name}`),
      ...(["readinessProbe", "startupProbe", "livenessProbe"] as const)
        .filter((probe) => container[probe]?.grpc !== undefined)
        .map((probe) => `${owner}, container ${container.name}: ${probe}.grpc has no effect in a local mesh without a sidecar`),
    ]),
    ...(spec.volumes ?? []).flatMap((volume) => unknownFields(volume, VOLUME_FIELDS, `${owner}, volume ${volume.name}`)),
  ];
}
