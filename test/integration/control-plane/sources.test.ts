// Directory and cluster are interchangeable: one suite for both, and what only a cluster can do to us.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { SourceStopped } from "../../../src/control-plane/sources/source.ts";
import { WATCHED_KINDS } from "../../../src/control-plane/sources/kubernetes-kinds.ts";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { MESH_CRDS } from "../../support/api-server/api-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { clusterBed, directoryBed, SourceReader } from "../../support/source-beds.ts";
import type { ClusterBed, Manifest } from "../../support/source-beds.ts";
import { portsOf, rule, service, sourceSuite } from "../../support/source-suite.ts";

const within = { withinMs: 4000 };
const namespace = (name: string): Manifest => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });

sourceSuite("the directory source", directoryBed);
sourceSuite("the Kubernetes source", clusterBed);

describe("the Kubernetes source, in a cluster that isn't at its best,", () => {
  let bed: ClusterBed;
  let clock: ManualClock;
  let reader: SourceReader;
  beforeEach(async () => {
    clock = new ManualClock();
    bed = await clusterBed(clock);
    reader = new SourceReader();
  });
  afterEach(async () => {
    bed.source.stop();
    await bed.close();
  });
  /** Moves the clock until the condition holds. */
  const inTime = (check: () => void): Promise<void> =>
    eventually(async () => {
      await clock.advance(200);
      check();
    }, within);

  test("serves nothing before the last kind has been read", async () => {
    bed.put(service("a"));
    // One list out of all fails, whichever is asked for first.
    bed.server.failNext(new ApiFailure(500, "InternalError", "etcd is away"));
    let hasStarted = false;
    const started = reader.start(bed.source).then(() => (hasStarted = true));
    await eventually(() => assert.equal(bed.server.watches(), WATCHED_KINDS.length - 1), within);
    assert.deepEqual([reader.reports, hasStarted], [[], false]);
    assert.match(bed.log.join(""), /warn {2}can't read the cluster: etcd is away; nothing is served before it can be read/);
    await inTime(() => assert.ok(hasStarted));
    await started;
    assert.deepEqual(reader.reports, [1]);
    assert.match(bed.log.join(""), /info {2}in step with the cluster again/);
  });

  test("rejects a start that is stopped, so that nobody serves half of it", async () => {
    bed.server.hold();
    const started = assert.rejects(reader.start(bed.source), SourceStopped);
    bed.source.stop();
    await started;
    assert.deepEqual(reader.reports, []);
  });

  test("starts without the mesh's CRDs, and reads them once they are installed", async () => {
    bed.server.setCrds([]);
    await reader.start(bed.source);
    bed.server.setCrds(MESH_CRDS);
    bed.put(rule({ host: "api" }));
    await eventually(async () => {
      await clock.advance(5_000);
      assert.ok(reader.snapshot.destinationRules.has("api.shop.svc.cluster.local"));
    }, within);
    assert.deepEqual(
      bed.log.filter((each) => each.includes("warn")),
      [],
    );
  });

  test("keeps what it has while the server is away, says so once, and catches up", async () => {
    bed.put(service("a"));
    bed.put(service("b"));
    await reader.start(bed.source);
    await eventually(() => assert.equal(bed.server.watches(), WATCHED_KINDS.length), within);
    await bed.server.stop();
    await inTime(() => assert.match(bed.log.join(""), /warn .*nothing listens there; what was read before stays in force/));
    assert.deepEqual(portsOf(reader, "a"), [80]);
    bed.remove(service("a"));
    bed.put(service("c"));
    bed.server.store.compact();
    await bed.server.start();
    await inTime(() => assert.deepEqual([portsOf(reader, "a"), portsOf(reader, "b"), portsOf(reader, "c")], [undefined, [80], [80]]));
    assert.equal(bed.log.filter((each) => each.includes("nothing listens there")).length, 1);
  });

  test("names the permission that is missing", async () => {
    bed.server.onRequest = ({ path }) => {
      if (path.endsWith("/nodes")) bed.server.failNext(new ApiFailure(403, "Forbidden", "nodes is forbidden"));
    };
    const started = assert.rejects(reader.start(bed.source), SourceStopped);
    await inTime(() =>
      assert.match(bed.log.join(""), /nodes is forbidden; allow the controller to list and watch nodes; nothing is served/),
    );
    bed.source.stop();
    await started;
  });

  test("takes a burst of 5,000 objects in a few reports", async () => {
    await reader.start(bed.source);
    await eventually(() => assert.equal(bed.server.watches(), WATCHED_KINDS.length), within);
    for (let index = 0; index < 5_000; index++) bed.put(index % 2 === 0 ? service(`s${index}`) : namespace(`n${index}`));
    await eventually(
      async () => {
        await clock.advance(10);
        assert.equal(reader.snapshot.services.size, 2_500);
      },
      { withinMs: 20_000 },
    );
    assert.ok(reader.reports.length < 200, `${reader.reports.length} reports`);
    for (let index = 0; index < 5_000; index += 2) bed.remove(service(`s${index}`));
    await eventually(
      async () => {
        await clock.advance(10);
        assert.equal(reader.snapshot.services.size, 0);
      },
      { withinMs: 20_000 },
    );
  });
});
