// Directory and cluster are interchangeable: one suite for both, and what only a cluster can do to us.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { SourceStopped } from "../../../src/control-plane/sources/source.ts";
import { WATCHED_KINDS } from "../../../src/control-plane/sources/kubernetes-kinds.ts";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { MESH_CRDS } from "../../support/api-server/api-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { meshFromYaml } from "../../support/mesh-from-yaml.ts";
import { clusterBed, comparable, directoryBed, manifests, SourceReader } from "../../support/source-beds.ts";
import type { ClusterBed, Manifest, SourceBed } from "../../support/source-beds.ts";

const GOLDEN = resolve(import.meta.dirname, "../../golden/translate");
const within = { withinMs: 4000 };

/** What the golden cases lack. */
const KINDS = readFileSync(join(import.meta.dirname, "../../golden/sources/kinds.yaml"), "utf8");
const namespace = (name: string): Manifest => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
const service = (name: string, port = 80): Manifest => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec: { clusterIP: "10.96.0.9", ports: [{ name: "http", port }] },
});
const rule = (spec: object): Manifest => ({
  apiVersion: "networking.istio.io/v1",
  kind: "DestinationRule",
  metadata: { name: "api", namespace: "shop" },
  spec,
});
const portsOf = (reader: SourceReader, name: string): number[] | undefined =>
  reader.snapshot.services.get(`${name}.shop.svc.cluster.local`)?.ports.map((each) => each.port);

for (const [name, open] of [
  ["the directory source", directoryBed],
  ["the Kubernetes source", clusterBed],
] as const) {
  describe(name, () => {
    let bed: SourceBed;
    let reader: SourceReader;
    beforeEach(async () => {
      bed = await open();
      reader = new SourceReader();
    });
    afterEach(async () => {
      bed.source.stop();
      await bed.close();
    });

    for (const file of globSync(`${GOLDEN}/*/input.yaml`).sort()) {
      test(`makes of ${basename(dirname(file))} the snapshot that its YAML says`, async () => {
        const yaml = readFileSync(file, "utf8");
        for (const each of manifests(yaml)) bed.put(each);
        await reader.start(bed.source);
        assert.deepEqual(comparable(reader.snapshot), comparable(meshFromYaml(yaml)));
      });
    }

    test("joins every sort of Service with its slices, pods and nodes", async () => {
      for (const each of manifests(KINDS)) bed.put(each);
      await reader.start(bed.source);
      assert.deepEqual(comparable(reader.snapshot), comparable(meshFromYaml(KINDS)));
      const { services, workloads } = reader.snapshot;
      const endpoints = (host: string, port: string) =>
        services
          .get(`${host}.shop.svc.cluster.local`)!
          .endpoints.get(port)!
          .map((each) => [each.address, each.port, each.health]);
      assert.deepEqual(services.get("dual.shop.svc.cluster.local")!.addresses, ["10.96.0.10", "fd00::10"]);
      assert.deepEqual(endpoints("dual", "http"), [
        ["10.244.0.2", 8080, "healthy"],
        ["fd00:1::2", 8080, "healthy"],
      ]);
      assert.deepEqual(endpoints("dual", "grpc"), [
        ["10.244.0.2", 9090, "healthy"],
        ["fd00:1::2", 9090, "healthy"],
      ]);
      assert.equal(services.get("db.shop.svc.cluster.local")!.headless, true);
      // publishNotReadyAddresses: the slice calls a pod ready that doesn't serve yet.
      assert.deepEqual(endpoints("db", "tcp"), [["10.244.0.3", 5432, "healthy"]]);
      assert.deepEqual(endpoints("plain", "http"), [["10.244.0.3", 80, "unhealthy"]]);
      assert.equal(services.has("elsewhere.shop.svc.cluster.local"), false);
      assert.deepEqual(workloads.get("shop/api-1")!.namedPorts, { web: 8080, rpc: 9090 });
      const localities = [...services.values()].flatMap((each) => [...each.endpoints.values()].flat()).map((each) => each.locality);
      assert.deepEqual([...new Set(localities.map(({ region, zone, subZone }) => `${region}/${zone}/${subZone}`))].sort(), [
        "eu/eu-a/rack-1",
        "eu/eu-b/",
      ]);
    });

    test("follows objects that come, change and go", async () => {
      bed.put(service("a"));
      await reader.start(bed.source);
      assert.deepEqual(portsOf(reader, "a"), [80]);
      bed.put(service("b"));
      await eventually(() => assert.deepEqual(portsOf(reader, "b"), [80]), within);
      bed.put(service("b", 81));
      await eventually(() => assert.deepEqual(portsOf(reader, "b"), [81]), within);
      bed.remove(service("a"));
      await eventually(() => assert.equal(portsOf(reader, "a"), undefined), within);
    });

    test("tells a mistake with its field, keeps the last good version, and forgets the mistake when it is mended", async () => {
      const limit = (maxConnections: unknown): Manifest =>
        rule({ host: "api", trafficPolicy: { connectionPool: { tcp: { maxConnections } } } });
      const limits = (): unknown =>
        reader.snapshot.destinationRules.get("api.shop.svc.cluster.local")?.[0]?.spec.trafficPolicy?.connectionPool?.tcp?.maxConnections;
      bed.put(limit(7));
      await reader.start(bed.source);
      bed.put(limit("many"));
      await eventually(
        () => assert.match(reader.problems.join(), /DestinationRule shop\/api: spec\.trafficPolicy\.connectionPool\.tcp\.maxConnections: /),
        within,
      );
      assert.equal(limits(), 7);
      bed.put(limit(8));
      await eventually(() => assert.equal(limits(), 8), within);
      assert.deepEqual(reader.problems, []);
    });

    test("reports what it finds at first in one piece", async () => {
      for (let index = 0; index < 30; index++) bed.put(service(`s${index}`));
      await reader.start(bed.source);
      assert.deepEqual(reader.reports, [30]);
    });

    test("starts with nothing at all", async () => {
      await reader.start(bed.source);
      assert.equal(reader.snapshot.services.size, 0);
    });
  });
}

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
