// Where nodes stand, by the labels that cloud providers and kubelets put on them.
import type { NodeObject } from "../ingest/mesh-object.ts";
import type { Locality } from "./mesh-snapshot.ts";

export const UNKNOWN_LOCALITY: Locality = { region: "", zone: "", subZone: "" };

/** By name of the node. */
export function localities(nodes: readonly NodeObject[]): Map<string, Locality> {
  return new Map(nodes.map(({ meta }) => [meta.name, localityOf(meta.labels)]));
}

/** The second names are those from before Kubernetes 1.17; the sub-zone is Istio's. */
function localityOf(labels: Readonly<Record<string, string>>): Locality {
  return {
    region: labels["topology.kubernetes.io/region"] ?? labels["failure-domain.beta.kubernetes.io/region"] ?? "",
    zone: labels["topology.kubernetes.io/zone"] ?? labels["failure-domain.beta.kubernetes.io/zone"] ?? "",
    subZone: labels["topology.istio.io/subzone"] ?? "",
  };
}
