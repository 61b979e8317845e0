// Which endpoints stand behind a port and a subset, and which of them take mutual TLS.
import type { Subset } from "../../mesh-api/destination-rule.ts";
import type { Endpoint, MeshService, MeshSnapshot, ServicePort } from "../registry/mesh-snapshot.ts";
import { effectiveMtls, selects } from "../registry/peer-authentication.ts";

/** A subset without labels is the whole service; an endpoint that is no pod has no labels and is in no labelled subset. */
export function subsetEndpoints(service: MeshService, port: ServicePort, subset: Subset | undefined): readonly Endpoint[] {
  const endpoints = service.endpoints.get(port.name) ?? [];
  const labels = subset?.labels ?? {};
  if (Object.keys(labels).length === 0) return endpoints;
  return endpoints.filter((each) => each.workload !== undefined && selects(labels, each.workload.labels));
}

export function speaksMeshTls(snapshot: MeshSnapshot, endpoint: Endpoint): boolean {
  const workload = endpoint.workload;
  return workload !== undefined && workload.hasSidecar && effectiveMtls(snapshot, workload, endpoint.port).mode !== "DISABLE";
}
