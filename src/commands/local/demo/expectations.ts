// What the shop's traffic must look like: every request whole, each hop counted, all of it mutual TLS between the
// right identities, and the split near what the VirtualService says.
import type { Edge } from "./call-graph.ts";
import type { LoadResult } from "./shop-load.ts";

export const INGRESS = "meshctl-ingress";
/** mesh.yaml of the sample: 10 of 100 calls of payments go to v2. */
const V2_SHARE = 0.1;
/** A fair split strays further than this many standard deviations once in a million runs. */
const DEVIATIONS = 5;

const HOPS: readonly (readonly [from: string, service: string])[] = [
  [INGRESS, "frontend"],
  ["frontend", "checkout"],
  ["checkout", "payments"],
];
const SHOP_IDENTITY = "spiffe://cluster.local/ns/shop/sa/";

/** Everything that is not as expected, a sentence each; empty when all is well. */
export function findSurprises(load: LoadResult, edges: readonly Edge[]): string[] {
  const surprises: string[] = [];
  if (load.failed.length > 0) surprises.push(`${load.failed.length} of ${load.sent} requests failed: ${load.failed[0]!}`);
  for (const [from, service] of HOPS) {
    const hop = edges.filter((edge) => edge.from === from && edge.service === service);
    const name = `${from} → ${service}`;
    const requests = hop.reduce((sum, edge) => sum + edge.requests, 0);
    const failures = hop.reduce((sum, edge) => sum + edge.failures, 0);
    const overTls = hop.reduce((sum, edge) => sum + edge.mutualTls, 0);
    if (requests !== load.sent) surprises.push(`${name}: the sidecar counted ${requests} requests, ${load.sent} were sent`);
    if (failures > 0) surprises.push(`${name}: ${failures} requests failed`);
    if (overTls !== requests) surprises.push(`${name}: ${overTls} of ${requests} requests came over mutual TLS`);
    for (const edge of hop) {
      if (edge.toIdentity !== `${SHOP_IDENTITY}${service}`)
        surprises.push(`${name}: the server proved to be ${edge.toIdentity || "nobody"}`);
      const isShop = from !== INGRESS;
      if (isShop && edge.fromIdentity !== `${SHOP_IDENTITY}${from}`)
        surprises.push(`${name}: the client proved to be ${edge.fromIdentity || "nobody"}`);
    }
  }
  const toV2 = edges.filter((edge) => edge.service === "payments" && edge.version === "v2").reduce((sum, edge) => sum + edge.requests, 0);
  const allowed = DEVIATIONS * Math.sqrt(V2_SHARE * (1 - V2_SHARE) * load.sent);
  if (Math.abs(toV2 - V2_SHARE * load.sent) > allowed) {
    surprises.push(`payments v2 got ${toV2} of ${load.sent} requests: 10 % were configured`);
  }
  return surprises;
}
