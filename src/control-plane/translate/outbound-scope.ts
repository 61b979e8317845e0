// What of a proxy its outbound configuration depends on. Proxies of one scope share their resources, bytes and all.
import { isVisible } from "../registry/host-name.ts";
import type { MeshService, MeshSnapshot } from "../registry/mesh-snapshot.ts";
import type { ProxyView } from "./proxy-view.ts";

export interface OutboundScope {
  readonly namespace: string;
  /** For sourceLabels of a VirtualService. */
  readonly labels: Readonly<Record<string, string>>;
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
}

export function outboundScope(view: ProxyView): OutboundScope {
  return { namespace: view.namespace, labels: view.labels, hasIpv4: view.hasIpv4, hasIpv6: view.hasIpv6 };
}

/** Equal keys mean equal outbound resources. Labels count only for the keys that some VirtualService looks at. */
export function scopeKey(snapshot: MeshSnapshot, scope: OutboundScope): string {
  const looked = sourceLabelKeys(snapshot);
  return JSON.stringify([scope.namespace, scope.hasIpv4, scope.hasIpv6, looked.map((each) => scope.labels[each] ?? null)]);
}

function sourceLabelKeys(snapshot: MeshSnapshot): string[] {
  const keys = new Set<string>();
  for (const list of snapshot.virtualServices.values()) {
    for (const { spec } of list) {
      for (const route of [...(spec.http ?? []), ...(spec.tcp ?? []), ...(spec.tls ?? [])]) {
        for (const match of route.match ?? []) for (const key of Object.keys(match.sourceLabels ?? {})) keys.add(key);
      }
    }
  }
  return [...keys].sort();
}

export function visibleServices(snapshot: MeshSnapshot, namespace: string): MeshService[] {
  return [...snapshot.services.values()].filter((each) => isVisible(each.exportTo, each.namespace, namespace));
}
