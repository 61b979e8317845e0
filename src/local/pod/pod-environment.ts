// What a container is told: environment variables with the downward API and ConfigMaps, $(NAME) expanded as Kubernetes does.
import type { ConfigMap, Container, ObjectMeta, PodSpec } from "../../manifests/kube-objects.ts";

/** Facts of a pod that its containers may ask for. */
export interface PodFacts {
  readonly metadata: ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: PodSpec;
  readonly ips: readonly string[];
  readonly nodeName: string;
  readonly hostIp: string;
}

const SUBSCRIPT = /^metadata\.(labels|annotations)\['(.+)'\]$/;

/** The downward API's format for a whole map: sorted `key="value"` lines. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}

/** @returns undefined for a field that the downward API doesn't have. */
export function readPodField(facts: PodFacts, fieldPath: string): string | undefined {
  const subscript = SUBSCRIPT.exec(fieldPath);
  if (subscript !== null) return facts.metadata[subscript[1] as "labels" | "annotations"]?.[subscript[2] ?? ""] ?? "";
  switch (fieldPath) {
    case "metadata.name":
      return facts.metadata.name;
    case "metadata.namespace":
      return facts.metadata.namespace;
    case "metadata.uid":
      return facts.metadata.uid;
    case "metadata.labels":
      return formatMap(facts.metadata.labels);
    case "metadata.annotations":
      return formatMap(facts.metadata.annotations);
    case "spec.nodeName":
      return facts.nodeName;
    case "spec.serviceAccountName":
      return facts.spec.serviceAccountName ?? "default";
    case "status.podIP":
      return facts.ips[0] ?? "";
    case "status.podIPs":
      return facts.ips.join(",");
    case "status.hostIP":
    case "status.hostIPs":
      return facts.hostIp;
    default:
      return undefined;
  }
}

/** `$(NAME)` becomes the value; `$$(NAME)` stays `$(NAME)`; unknown names stay as they are. */
export function expandReferences(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replace(/\$(\$|\(([^()]*)\))/g, (whole, rest: string, name: string | undefined) => {
    if (rest === "$") return "$";
    return environment[name ?? ""] ?? whole;
  });
}

export interface ContainerEnvironment {
  readonly values: Readonly<Record<string, string>>;
  /** What keeps the container from starting: missing ConfigMaps and keys, sources that the local mesh doesn't have. */
  readonly problems: readonly string[];
}

/** @param configMap looks one up in the pod's namespace. */
export function buildEnvironment(
  container: Container,
  facts: PodFacts,
  configMap: (name: string) => ConfigMap | undefined,
): ContainerEnvironment {
  const values: Record<string, string> = { HOSTNAME: facts.metadata.name, HOME: "/tmp" };
  const problems: string[] = [];
  for (const source of container.envFrom ?? []) {
    const reference = source.configMapRef;
    const map = reference === undefined ? undefined : configMap(reference.name);
    if (reference === undefined) problems.push("envFrom has a source other than configMapRef");
    else if (map === undefined && reference.optional !== true) problems.push(`ConfigMap ${reference.name} not found`);
    for (const [key, value] of Object.entries(map?.data ?? {})) values[`${source.prefix ?? ""}${key}`] = value;
  }
  for (const variable of container.env ?? []) {
    const { fieldRef, configMapKeyRef } = variable.valueFrom ?? {};
    if (variable.valueFrom === undefined) {
      values[variable.name] = expandReferences(variable.value ?? "", values);
    } else if (fieldRef !== undefined) {
      const value = readPodField(facts, fieldRef.fieldPath);
      if (value === undefined) problems.push(`env ${variable.name}: unknown field ${fieldRef.fieldPath}`);
      else values[variable.name] = value;
    } else if (configMapKeyRef !== undefined) {
      const value = configMap(configMapKeyRef.name)?.data?.[configMapKeyRef.key];
      if (value !== undefined) values[variable.name] = value;
      else if (configMapKeyRef.optional !== true)
        problems.push(`env ${variable.name}: ConfigMap ${configMapKeyRef.name} has no key ${configMapKeyRef.key}`);
    } else {
      problems.push(`env ${variable.name}: this source of a value is not supported in a local mesh`);
    }
  }
  return { values, problems };
}
