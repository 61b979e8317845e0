// A connected sidecar as translate sees it: what it said about itself, joined with its pod where that is known.
import type { MeshSnapshot, Workload } from "../registry/mesh-snapshot.ts";
import { isIpv6 } from "./wire-values.ts";

/** What a sidecar's first request says. Constant for a connection. */
export interface ProxyNode {
  readonly id: string;
  readonly pod: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
}

export interface ProxyView {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
  /** undefined: the pod isn't known (yet); the node's own words are used. */
  readonly workload: Workload | undefined;
}

export function proxyView(snapshot: MeshSnapshot, node: ProxyNode): ProxyView {
  const byName = snapshot.workloads.get(`${node.namespace}/${node.pod}`);
  // An address names a pod only among those of the service account that the proxy was proven to be of.
  const isOwn = (each: Workload | undefined): boolean => each?.namespace === node.namespace && each.serviceAccount === node.serviceAccount;
  const workload = byName ?? node.addresses.map((each) => snapshot.workloadsByAddress.get(each)).find(isOwn);
  const addresses = node.addresses.length > 0 ? node.addresses : (workload?.addresses ?? []);
  const hasIpv6 = addresses.some(isIpv6);
  return {
    name: node.pod,
    namespace: node.namespace,
    labels: workload?.labels ?? node.labels,
    addresses,
    // A proxy that tells no address at all is taken to have IPv4.
    hasIpv4: addresses.some((each) => !isIpv6(each)) || !hasIpv6,
    hasIpv6,
    workload,
  };
}
