// /debug/syncz: what each connected proxy was sent and has acknowledged, in the shape of Istio's.
import type { AdsConnection } from "../../xds/ads-server.ts";
import { TypeUrl } from "../../xds/names.ts";
import type { ProxyNode } from "../translate/proxy-view.ts";

const FIELDS: Readonly<Record<string, string>> = {
  [TypeUrl.cluster]: "cluster",
  [TypeUrl.listener]: "listener",
  [TypeUrl.route]: "route",
  [TypeUrl.endpoints]: "endpoint",
  [TypeUrl.nameTable]: "name_table",
};

export function syncStatus(connections: Iterable<AdsConnection<ProxyNode>>, clusterId: string): object[] {
  return [...connections]
    .sort((a, b) => (a.proxy.id < b.proxy.id ? -1 : 1))
    .map((connection) => {
      const entry: Record<string, string> = {
        cluster_id: clusterId,
        proxy: `${connection.proxy.pod}.${connection.proxy.namespace}`,
        proxy_type: "sidecar",
        istio_version: connection.proxy.version,
      };
      for (const { typeUrl, sentNonce, ackedNonce, refused } of connection.status()) {
        const field = FIELDS[typeUrl];
        if (field === undefined) continue;
        entry[`${field}_sent`] = sentNonce;
        entry[`${field}_acked`] = ackedNonce;
        if (refused !== undefined) entry[`${field}_refused`] = refused;
      }
      return entry;
    });
}
