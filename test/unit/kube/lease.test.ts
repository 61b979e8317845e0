// Lease election against the API server double, on a clock that the test moves.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Clock } from "../../../src/common/clock.ts";
import { systemClock } from "../../../src/common/clock.ts";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { LeaseElection } from "../../../src/kube/lease.ts";
import { KubeObjects } from "../../../src/kube/objects.ts";
import type { ApiServer } from "../../support/api-server/api-server.ts";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { startConnectedApiServer } from "../../support/api-server/connected.ts";
import type { ConnectedApiServer } from "../../support/api-server/connected.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const NAME = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace: "mesh-system", name: "meshctl-controller" };
const within = { withinMs: 3000 };

let api: ConnectedApiServer;
let server: ApiServer;
let connection: ClusterConnection;
let clock: ManualClock;
let elections: LeaseElection[];
/** `a leads`, `a follows`, `a trouble …`. */
let told: string[];

beforeEach(async () => {
  api = await startConnectedApiServer();
  ({ server, connection } = api);
  clock = new ManualClock();
  elections = [];
  told = [];
});
afterEach(async () => {
  server.release();
  await Promise.all(elections.map((each) => each.stop()));
  await api.close();
});

function stand(identity: string, on: Clock = clock): LeaseElection {
  const election = new LeaseElection({
    ...{ connection, clock: on, namespace: "mesh-system", name: NAME.name, identity, labels: { app: "x" } },
    onTrouble: (error) => told.push(`${identity} trouble ${error.message}`),
    random: () => 0.5,
  });
  election.onChange((isLeader) => told.push(`${identity} ${isLeader ? "leads" : "follows"}`));
  elections.push(election);
  election.start();
  return election;
}
async function lease(): Promise<Record<string, unknown>> {
  const found = await new KubeObjects({ connection, clock: systemClock }).get(NAME);
  return { ...(found?.["spec"] as Record<string, unknown>), labels: (found?.metadata as { labels?: unknown } | undefined)?.labels };
}
const hears = (...expected: readonly string[]): Promise<void> => eventually(() => assert.deepEqual(told, expected), within);
const requests = (method: string): number =>
  server.requests.filter((each) => each.method === method && each.path.includes("leases")).length;
/** Lets `ms` go by, in steps in which requests are answered. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 500) {
    await clock.advance(500);
    const seen = server.requests.length;
    await new Promise((resolve) => setImmediate(resolve));
    if (server.requests.length > seen) await eventually(() => assert.ok(clock.pending > 0), within);
  }
}

describe("lease election", () => {
  test("makes the first one leader, and writes what client-go would read", async () => {
    const a = stand("a");
    await hears("a leads");
    assert.deepEqual([a.current, a.holder], [true, "a"]);
    const now = "2026-01-01T00:00:00.000000Z";
    assert.deepEqual(await lease(), {
      ...{ holderIdentity: "a", leaseDurationSeconds: 15, acquireTime: now, renewTime: now, leaseTransitions: 0 },
      labels: { app: "x" },
    });
  });

  test("renews every two seconds, and keeps since when it leads", async () => {
    stand("a");
    await hears("a leads");
    for (const second of ["02", "04", "06"]) {
      await eventually(() => assert.ok(clock.pending >= 2), within);
      await clock.advance(2000);
      await eventually(async () => assert.equal((await lease())["renewTime"], `2026-01-01T00:00:${second}.000000Z`), within);
    }
    const { acquireTime, leaseTransitions } = await lease();
    assert.deepEqual([acquireTime, leaseTransitions], ["2026-01-01T00:00:00.000000Z", 0]);
    assert.deepEqual(told, ["a leads"]);
  });

  test("elects exactly one of three that stand at once", async () => {
    for (const each of ["a", "b", "c"]) stand(each);
    await eventually(() => assert.equal(elections.filter((each) => each.current).length, 1), within);
    await pass(4000);
    await eventually(() => assert.equal(new Set(elections.map((each) => each.holder)).size, 1), within);
    assert.equal(told.length, 1);
    assert.match(told[0]!, / leads$/);
  });

  test("leaves a fresh Lease alone, and takes one that was not renewed for as long as it says", async () => {
    const early = new ManualClock();
    stand("a", early);
    await hears("a leads");
    stand("b");
    await eventually(() => assert.equal(elections[1]!.holder, "a"), within);
    // a's clock stands still: it renews no more, and never finds out.
    await pass(14_000);
    assert.deepEqual(told, ["a leads"]);
    await eventually(async () => {
      await clock.advance(500);
      assert.deepEqual(told, ["a leads", "b leads"]);
    }, within);
    const { holderIdentity, leaseTransitions } = await lease();
    assert.deepEqual([holderIdentity, leaseTransitions], ["b", 1]);
    // Once it tries again, it sees who leads now.
    await early.advance(2000);
    await hears("a leads", "b leads", "a follows");
  });

  test("is taken in time though the clock was set back by an hour meanwhile", async () => {
    const early = new ManualClock();
    stand("a", early);
    await hears("a leads");
    let offsetMs = 3_600_000;
    stand("b", { now: () => clock.now() + offsetMs, after: (delayMs, callback) => clock.after(delayMs, callback) });
    await eventually(() => assert.equal(elections[1]!.holder, "a"), within);
    offsetMs = 0;
    // a's clock stands still: it renews no more. One try to notice, fifteen seconds, and one more.
    await pass(30_000);
    await hears("a leads", "b leads");
  });

  test("is released on the way out, so that the next one leads at once", async () => {
    const a = stand("a");
    await hears("a leads");
    stand("b");
    await eventually(() => assert.equal(elections[1]!.holder, "a"), within);
    await a.stop();
    assert.equal((await lease())["holderIdentity"], "");
    assert.equal(a.current, false);
    await eventually(() => assert.ok(clock.pending >= 1), within);
    await clock.advance(3200);
    await hears("a leads", "a follows", "b leads");
  });

  test("is lost by a leader that can't renew for ten seconds, and won back", async () => {
    stand("a");
    await hears("a leads");
    await eventually(() => assert.ok(clock.pending >= 2), within);
    server.failNext(...Array.from({ length: 5 }, () => new ApiFailure(500, "InternalError", "etcd is away")));
    for (let tries = 1; tries <= 4; tries++) {
      const before = requests("GET");
      await clock.advance(2000);
      await eventually(() => assert.equal(requests("GET"), before + 1), within);
      await eventually(() => assert.ok(clock.pending >= 2), within);
    }
    assert.deepEqual(told, ["a leads", "a trouble etcd is away"]);
    await clock.advance(2000);
    await hears("a leads", "a trouble etcd is away", "a follows");
    await eventually(async () => {
      await clock.advance(1000);
      assert.deepEqual(told.at(-1), "a leads");
    }, within);
  });

  test("counts its ten seconds from before it asked, however late the answer comes", async () => {
    stand("a");
    await hears("a leads");
    await eventually(() => assert.ok(clock.pending >= 2), within);
    const before = requests("PUT");
    server.hold();
    await clock.advance(2000);
    await clock.advance(4000);
    server.release();
    await eventually(() => assert.equal(requests("PUT"), before + 1), within);
    await eventually(async () => assert.equal((await lease())["renewTime"], "2026-01-01T00:00:06.000000Z"), within);
    server.hold();
    await clock.advance(5_999);
    assert.equal(elections[0]!.current, true);
    await clock.advance(1);
    assert.equal(elections[0]!.current, false);
  });

  test("is lost in time when the API server doesn't answer at all", async () => {
    stand("a");
    await hears("a leads");
    await eventually(() => assert.ok(clock.pending >= 2), within);
    server.hold();
    await clock.advance(9_999);
    assert.equal(elections[0]!.current, true);
    await clock.advance(1);
    assert.equal(elections[0]!.current, false);
  });
});
