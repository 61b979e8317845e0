// The seam: picks one of a set of candidates. Sets are immutable and compared by identity, so what a balancer derives
// from one is made once.
import type { UpstreamHost } from "../host.ts";

export interface LoadBalancer {
  /** One of the hosts; undefined when there are none. */
  pick(hosts: readonly UpstreamHost[]): UpstreamHost | undefined;
}

export function haveEqualWeights(hosts: readonly UpstreamHost[]): boolean {
  for (let index = 1; index < hosts.length; index += 1) if (hosts[index]!.endpoint.weight !== hosts[0]!.endpoint.weight) return false;
  return true;
}
