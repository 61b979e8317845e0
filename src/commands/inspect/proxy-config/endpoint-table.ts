// proxy-config endpoint: filters, order and columns of istioctl, from /clusters?format=json or a dump with endpoints.
import { formatAddress } from "../../../common/address.ts";
import { formatTable } from "../../../cli/table.ts";
import type { ConfigDump } from "./config-dump.ts";
import { compareKeys, field, items, readAddress, text, type Json, type JsonObject } from "./envoy-json.ts";

export interface EndpointFilter {
  readonly address?: string;
  readonly port?: number;
  readonly cluster?: string;
  /** Letter case counts for nothing. */
  readonly status?: string;
}

/** ClusterStatuses with only the hosts that pass; clusters without any are left out. */
export function selectEndpoints(statuses: readonly Json[], filter: EndpointFilter): Json[] {
  return statuses
    .filter((status) => filter.cluster === undefined || text(status, "name") === filter.cluster)
    .map((status) => ({ ...(status as JsonObject), hostStatuses: items(status, "hostStatuses").filter((host) => isWanted(host, filter)) }))
    .filter((status) => status.hostStatuses.length > 0);
}

function isWanted(host: Json, filter: EndpointFilter): boolean {
  const { address, port } = readAddress(field(host, "address"));
  if (filter.address !== undefined && filter.address !== address) return false;
  if (filter.port !== undefined && filter.port !== port) return false;
  return filter.status === undefined || filter.status.toLowerCase() === statusOf(host).toLowerCase();
}

function statusOf(host: Json): string {
  return text(host, "healthStatus", "edsHealthStatus") || "UNKNOWN";
}

export function endpointTable(statuses: readonly Json[], width?: number): string {
  const rows = statuses
    .flatMap((status) => items(status, "hostStatuses").map((host) => ({ host, cluster: text(status, "name") })))
    .map(({ host, cluster }) => {
      const place = readAddress(field(host, "address"));
      const outlier = field(host, "healthStatus", "failedOutlierCheck") === true ? "FAILED" : "OK";
      return { key: [place.address, place.port, cluster], row: [describeAddress(place), statusOf(host), outlier, cluster] };
    })
    .sort((a, b) => compareKeys(a.key, b.key));
  return formatTable(
    ["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"],
    rows.map((each) => each.row),
    { width },
  );
}

function describeAddress({ address, port, kind }: ReturnType<typeof readAddress>): string {
  if (kind === "pipe") return `unix://${address}`;
  if (kind === "internal") return `envoy://${address}`;
  return formatAddress(address, port);
}

/** Load assignments in the shape of cluster statuses. What only a running proxy knows (outliers, counters) is absent. */
export function statusesFromDump(dump: ConfigDump): Json[] {
  return dump.loadAssignments().map((assignment) => ({
    name: text(assignment, "clusterName"),
    hostStatuses: items(assignment, "endpoints").flatMap((locality) =>
      items(locality, "lbEndpoints").map((each) => ({
        address: field(each, "endpoint", "address") ?? null,
        // Envoy takes an endpoint of unknown health as healthy, and /clusters says so.
        healthStatus: { edsHealthStatus: text(each, "healthStatus").replace(/^UNKNOWN$/, "") || "HEALTHY" },
        weight: field(each, "loadBalancingWeight") ?? 1,
        locality: field(locality, "locality") ?? {},
      })),
    ),
  }));
}
