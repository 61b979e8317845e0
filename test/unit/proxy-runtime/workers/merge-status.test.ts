import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostStatus } from "../../../../src/proxy-runtime/admin/data-plane-view.ts";
import { mergeFailures, mergeHosts, mergeListeners, mergeMemory } from "../../../../src/proxy-runtime/workers/merge-status.ts";

const host = (address: string, fields: Partial<HostStatus> = {}): HostStatus =>
  ({
    address,
    priority: 0,
    failedOutlierCheck: false,
    cxActive: 1,
    cxConnectFail: 2,
    cxTotal: 3,
    rqActive: 4,
    rqError: 5,
    rqSuccess: 6,
    rqTimeout: 7,
    rqTotal: 8,
    ...fields,
  }) as HostStatus;

test("a host's counts are those of all workers, one that a worker doesn't know is there all the same", () => {
  const merged = mergeHosts([
    new Map([["web", [host("a"), host("b", { failedOutlierCheck: true })]], ["only-first", []]]), // prettier-ignore
    new Map([["web", [host("b", { rqTotal: 100 }), host("a"), host("a", { priority: 1, cxActive: 9 })]]]),
  ]);
  assert.deepEqual([...merged.keys()], ["web", "only-first"]);
  const [a, b, spare] = merged.get("web")!;
  assert.deepEqual(a, {
    ...host("a"),
    cxActive: 2,
    cxConnectFail: 4,
    cxTotal: 6,
    rqActive: 8,
    rqError: 10,
    rqSuccess: 12,
    rqTimeout: 14,
    rqTotal: 16,
  });
  assert.equal(b!.rqTotal, 108);
  assert.equal(b!.failedOutlierCheck, true);
  assert.deepEqual(spare, host("a", { priority: 1, cxActive: 9 }));
});

test("addresses and failures are told once", () => {
  const main = { name: "main", ip: "::", port: 80 };
  const six = { name: "main", ip: "0.0.0.0", port: 80 };
  assert.deepEqual(mergeListeners([[main, six], [main], []]), [main, six]);
  const failure = { listener: "main", host: "::", port: 80, code: "EADDRINUSE" };
  assert.deepEqual(mergeFailures([[failure], [], [failure]]), [failure]);
});

test("memory is the process's, heaps are those of all threads", () => {
  const own = { rss: 100, heapUsed: 1, heapTotal: 10, external: 3 };
  assert.deepEqual(mergeMemory(own, [own, { ...own, rss: 101, heapUsed: 5 }]), { rss: 100, heapUsed: 7, heapTotal: 30, external: 9 });
});
