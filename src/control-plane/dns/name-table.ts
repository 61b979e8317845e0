// NDS: the names that sidecars answer DNS questions for. The sidecar itself completes short names by namespace.
import { create } from "@bufbuild/protobuf";
import { NameTableSchema } from "../../xds/gen/istio/nds_pb.ts";
import type { NameTable } from "../../xds/gen/istio/nds_pb.ts";
import type { MeshService, MeshSnapshot } from "../registry/mesh-snapshot.ts";

export function nameTable(snapshot: MeshSnapshot): NameTable {
  const table: Record<string, { ips: string[]; registry: string; shortname: string; namespace: string }> = {};
  const entry = ({ namespace }: { readonly namespace: string }, shortname: string, ips: string[]) => ({
    ips,
    registry: "Kubernetes",
    shortname,
    namespace,
  });
  for (const service of snapshot.services.values()) {
    const ips = service.headless ? readyAddresses(service) : [...service.addresses];
    table[service.hostname] = entry(service, service.name, ips);
    for (const alias of service.aliases) table[alias.hostname] = entry(alias, alias.name, ips);
    if (!service.headless) continue;
    for (const [hostname, ips] of podNames(service)) {
      table[`${hostname}.${service.hostname}`] = entry(service, `${hostname}.${service.name}`, ips);
    }
  }
  return create(NameTableSchema, { table });
}

function readyAddresses(service: MeshService): string[] {
  const addresses = new Set<string>();
  for (const list of service.endpoints.values()) for (const each of list) if (each.health === "healthy") addresses.add(each.address);
  return [...addresses].sort();
}

/** Pods of a StatefulSet are asked for by name before they are ready: they find each other that way. */
function podNames(service: MeshService): Map<string, string[]> {
  const names = new Map<string, Set<string>>();
  for (const list of service.endpoints.values()) {
    for (const each of list) {
      if (each.hostname === undefined || each.hostname === "") continue;
      const addresses = names.get(each.hostname) ?? new Set();
      names.set(each.hostname, addresses.add(each.address));
    }
  }
  return new Map([...names].map(([name, addresses]) => [name, [...addresses].sort()]));
}
