// proxy-config cluster: filters, order and columns of istioctl.
import { formatTable } from "../../../cli/table.ts";
import { compareKeys, describeOrigin, field, text, type Json } from "./envoy-json.ts";

export interface ClusterFilter {
  /** Part of the name, as istioctl matches. */
  readonly fqdn?: string;
  readonly direction?: string;
  readonly subset?: string;
  readonly port?: number;
}

interface ClusterKey {
  readonly fqdn: string;
  readonly port: number;
  readonly subset: string;
  readonly direction: string;
}

/** `outbound|9080|v1|reviews.default.svc.cluster.local`, also with `_.` between the parts (SNI clusters of gateways). */
function parseName(name: string): ClusterKey | undefined {
  const parts = /^(out|in)bound_?\./.test(name) ? name.split("_.") : name.split("|");
  if (parts.length < 4) return undefined;
  return { direction: parts[0]!, port: Number(parts[1]), subset: parts[2]!, fqdn: parts.slice(3).join("|") };
}

export function selectClusters(clusters: readonly Json[], filter: ClusterFilter): Json[] {
  return clusters
    .filter((cluster) => matches(text(cluster, "name"), filter))
    .map((cluster) => ({ cluster, key: sortKey(text(cluster, "name")) }))
    .sort((a, b) => compareKeys(a.key, b.key))
    .map((each) => each.cluster);
}

function matches(name: string, filter: ClusterFilter): boolean {
  const key = parseName(name);
  if (filter.fqdn !== undefined && !name.includes(filter.fqdn)) return false;
  if (filter.direction !== undefined && key?.direction !== filter.direction) return false;
  if (filter.subset !== undefined && (key === undefined || key.subset !== filter.subset)) return false;
  return filter.port === undefined || key?.port === filter.port;
}

function sortKey(name: string): (string | number)[] {
  const key = parseName(name);
  return key === undefined ? [name, 0, "", ""] : [key.fqdn, key.port, key.subset, key.direction];
}

/** LOGICAL_DNS, EDS, … or the name of a custom cluster type. Envoy leaves out what is the default: STATIC. */
export function clusterType(cluster: Json): string {
  return text(cluster, "type") || text(cluster, "clusterType", "name") || "STATIC";
}

export function clusterTable(clusters: readonly Json[], width?: number): string {
  const rows = clusters.map((cluster) => {
    const name = text(cluster, "name");
    const key = parseName(name);
    const place = key === undefined ? [name, "-", "-", "-"] : [key.fqdn, String(key.port), key.subset || "-", key.direction];
    return [...place, clusterType(cluster), describeOrigin(field(cluster, "metadata"))];
  });
  return formatTable(["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"], rows, { width });
}
