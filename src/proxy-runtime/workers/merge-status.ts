// Answers of several workers as one: hosts with their counts added up, each bound address once, each failure once.
import type { HostStatus, ListenerStatus, MemoryStatus } from "../admin/data-plane-view.ts";
import type { ListenFailure } from "./data-half.ts";

export type HostsByCluster = ReadonlyMap<string, readonly HostStatus[]>;

/** Every worker has connections of its own to a host; all of them together are what the host sees. */
export function mergeHosts(answers: readonly HostsByCluster[]): HostsByCluster {
  const merged = new Map<string, Map<string, HostStatus>>();
  for (const answer of answers) {
    for (const [cluster, hosts] of answer) {
      let byAddress = merged.get(cluster);
      if (byAddress === undefined) merged.set(cluster, (byAddress = new Map<string, HostStatus>()));
      for (const host of hosts) {
        const key = `${host.priority} ${host.address}`;
        const known = byAddress.get(key);
        byAddress.set(key, known === undefined ? host : addCounts(known, host));
      }
    }
  }
  return new Map([...merged].map(([cluster, byAddress]) => [cluster, [...byAddress.values()]]));
}

function addCounts(left: HostStatus, right: HostStatus): HostStatus {
  return {
    ...left,
    failedOutlierCheck: left.failedOutlierCheck || right.failedOutlierCheck,
    cxActive: left.cxActive + right.cxActive,
    cxConnectFail: left.cxConnectFail + right.cxConnectFail,
    cxTotal: left.cxTotal + right.cxTotal,
    rqActive: left.rqActive + right.rqActive,
    rqError: left.rqError + right.rqError,
    rqSuccess: left.rqSuccess + right.rqSuccess,
    rqTimeout: left.rqTimeout + right.rqTimeout,
    rqTotal: left.rqTotal + right.rqTotal,
  };
}

export function mergeListeners(answers: readonly (readonly ListenerStatus[])[]): readonly ListenerStatus[] {
  return [...new Map(answers.flat().map((each) => [`${each.name} ${each.ip} ${each.port}`, each])).values()];
}

export function mergeFailures(answers: readonly (readonly ListenFailure[])[]): readonly ListenFailure[] {
  return [...new Map(answers.flat().map((each) => [each.listener, each])).values()];
}

/** Resident memory is the process's, heaps are each thread's. */
export function mergeMemory(own: MemoryStatus, others: readonly MemoryStatus[]): MemoryStatus {
  const sum = (of: (each: MemoryStatus) => number): number => others.reduce((total, each) => total + of(each), of(own));
  return {
    rss: own.rss,
    heapUsed: sum((each) => each.heapUsed),
    heapTotal: sum((each) => each.heapTotal),
    external: sum((each) => each.external),
  };
}
