// /debug/config_dump: what one proxy is to have now, as the bytes that it is sent (google.protobuf.Any, base64), of the
// names that it has asked for. Whoever compares it with a sidecar's own dump decodes both alike.
import type { AdsConnection } from "../../xds/ads-server.ts";
import type { ResourceSet } from "../../xds/ads-resources.ts";
import { TypeUrl } from "../../xds/names.ts";
import type { ProxyNode } from "../translate/proxy-view.ts";

const FIELDS = { clusters: TypeUrl.cluster, listeners: TypeUrl.listener, routes: TypeUrl.route } as const;

export type ProxyResources = { readonly version: string } & Readonly<Record<keyof typeof FIELDS, Readonly<Record<string, string>>>>;

export function proxyResources(connection: AdsConnection<ProxyNode>, set: ResourceSet): ProxyResources {
  const subscriptions = new Map(connection.status().map((each) => [each.typeUrl, each.names]));
  const of = (typeUrl: string): Record<string, string> => {
    const names = subscriptions.get(typeUrl);
    const isWanted = (name: string): boolean => subscriptions.has(typeUrl) && (names === undefined || names.includes(name));
    const resources = [...(set.types.get(typeUrl) ?? [])].filter(([name]) => isWanted(name));
    return Object.fromEntries(resources.map(([name, { bytes }]) => [name, Buffer.from(bytes).toString("base64")]));
  };
  return { version: set.version, clusters: of(FIELDS.clusters), listeners: of(FIELDS.listeners), routes: of(FIELDS.routes) };
}
