// Pods are most of a cluster's bytes, and nearly all of a Pod is for the kubelet: environment, volumes, probes, conditions.
// A source keeps the objects that it hands on for as long as they live, so this much goes before. What kubernetes-schemas.ts
// reads of a Pod stays.
import type { KubeObject } from "../../kube/resource-kind.ts";

type Fields = Readonly<Record<string, unknown>>;

export function trimPod(pod: KubeObject): KubeObject {
  const { apiVersion, kind, metadata, spec, status } = pod as KubeObject & { readonly spec?: Fields; readonly status?: Fields };
  return {
    apiVersion,
    kind,
    metadata,
    spec: { ...pick(spec, ["serviceAccountName", "nodeName", "hostNetwork"]), ...containers(spec) },
    status: pick(status, ["phase", "podIP", "podIPs"]),
  };
}

function containers(spec: Fields | undefined): Fields {
  const lists = pick(spec, ["containers", "initContainers"]);
  return Object.fromEntries(
    Object.entries(lists).map(([name, list]) => [
      name,
      Array.isArray(list) ? list.map((each: Fields) => pick(each, ["name", "ports"])) : list,
    ]),
  );
}

function pick(from: Fields | undefined, names: readonly string[]): Fields {
  return Object.fromEntries(names.flatMap((name) => (from?.[name] === undefined ? [] : [[name, from[name]]])));
}
