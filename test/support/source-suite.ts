// What every source owes the mesh, whatever it reads: the suite that all of them run.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { eventually } from "./eventually.ts";
import { meshFromYaml } from "./mesh-from-yaml.ts";
import { comparable, manifests, SourceReader } from "./source-beds.ts";
import type { Manifest, SourceBed } from "./source-beds.ts";

const GOLDEN = resolve(import.meta.dirname, "../golden/translate");

/** What the golden cases lack. */
const KINDS = readFileSync(join(import.meta.dirname, "../golden/sources/kinds.yaml"), "utf8");
export const service = (name: string, port = 80): Manifest => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec: { clusterIP: "None", ports: [{ name: "http", port }] },
});
export const rule = (spec: object): Manifest => ({
  apiVersion: "networking.istio.io/v1",
  kind: "DestinationRule",
  metadata: { name: "api", namespace: "shop" },
  spec,
});
const configMap = (namespace: string, mesh: string): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "meshctl", namespace },
  data: { mesh },
});
export const portsOf = (reader: SourceReader, name: string): number[] | undefined =>
  reader.snapshot.services.get(`${name}.shop.svc.cluster.local`)?.ports.map((each) => each.port);

export interface SuiteOptions {
  /** How long a change may take. */
  readonly withinMs?: number;
  /** Why it can't run here. */
  readonly skip?: string;
}

export function sourceSuite(name: string, open: () => Promise<SourceBed>, { withinMs = 4000, ...options }: SuiteOptions = {}): void {
  const within = { withinMs };
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
      test(`makes of ${basename(dirname(file))} the snapshot that its YAML says`, options, async () => {
        const yaml = readFileSync(file, "utf8");
        for (const each of manifests(yaml)) await bed.put(each);
        await reader.start(bed.source);
        assert.deepEqual(comparable(reader.snapshot), comparable(meshFromYaml(yaml)));
      });
    }

    test("follows the mesh's configuration in its ConfigMap, and no other ConfigMap", options, async () => {
      const settings = () => [reader.snapshot.settings.pathNormalization, reader.snapshot.settings.accessLogPath];
      const own = (mesh: string) => configMap("mesh-system", mesh);
      await bed.put(configMap("shop", "pathNormalization: { normalization: NONE }"));
      await bed.put(own("pathNormalization: { normalization: MERGE_SLASHES }"));
      await reader.start(bed.source);
      assert.deepEqual(settings(), ["MERGE_SLASHES", undefined]);
      await bed.put(own("accessLogFile: /dev/stdout"));
      await eventually(() => assert.deepEqual(settings(), ["BASE", "/dev/stdout"]), within);
      await bed.remove(own(""));
      await eventually(() => assert.deepEqual(settings(), ["BASE", undefined]), within);
    });

    test("joins every sort of Service with its slices, pods and nodes", options, async () => {
      for (const each of manifests(KINDS)) await bed.put(each);
      await reader.start(bed.source);
      assert.deepEqual(comparable(reader.snapshot), comparable(meshFromYaml(KINDS)));
      const { services, workloads } = reader.snapshot;
      const endpoints = (host: string, port: string) =>
        services
          .get(`${host}.shop.svc.cluster.local`)!
          .endpoints.get(port)!
          .map((each) => [each.address, each.port, each.health]);
      assert.deepEqual(services.get("dual.shop.svc.cluster.local")!.addresses, ["10.96.0.10", "fd00:10:96::10"]);
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
      const shop = [...services.values()].filter((each) => each.namespace === "shop");
      const localities = shop.flatMap((each) => [...each.endpoints.values()].flat()).map((each) => each.locality);
      assert.deepEqual([...new Set(localities.map(({ region, zone, subZone }) => `${region}/${zone}/${subZone}`))].sort(), [
        "eu/eu-a/rack-1",
        "eu/eu-b/",
      ]);
    });

    test("follows objects that come, change and go", options, async () => {
      await bed.put(service("a"));
      await reader.start(bed.source);
      assert.deepEqual(portsOf(reader, "a"), [80]);
      await bed.put(service("b"));
      await eventually(() => assert.deepEqual(portsOf(reader, "b"), [80]), within);
      await bed.put(service("b", 81));
      await eventually(() => assert.deepEqual(portsOf(reader, "b"), [81]), within);
      await bed.remove(service("a"));
      await eventually(() => assert.equal(portsOf(reader, "a"), undefined), within);
    });

    test("tells a mistake with its field, keeps the last good version, and forgets the mistake when it is mended", options, async () => {
      // What a CRD's schema would let pass as well.
      const limit = (fields: object): Manifest => rule({ host: "api", trafficPolicy: { connectionPool: { tcp: fields } } });
      const limits = (): unknown =>
        reader.snapshot.destinationRules.get("api.shop.svc.cluster.local")?.[0]?.spec.trafficPolicy?.connectionPool?.tcp?.maxConnections;
      await bed.put(limit({ maxConnections: 7 }));
      await reader.start(bed.source);
      await bed.put(limit({ maxConections: 8 }));
      await eventually(
        () => assert.match(reader.problems.join(), /DestinationRule shop\/api: spec\.trafficPolicy\.connectionPool\.tcp\.maxConections: /),
        within,
      );
      assert.equal(limits(), 7);
      await bed.put(limit({ maxConnections: 8 }));
      await eventually(() => assert.equal(limits(), 8), within);
      assert.deepEqual(reader.problems, []);
    });

    test("reports what it finds at first in one piece", options, async () => {
      for (let index = 0; index < 30; index++) await bed.put(service(`s${index}`));
      await reader.start(bed.source);
      assert.equal(reader.reports.length, 1);
      for (let index = 0; index < 30; index++) assert.deepEqual(portsOf(reader, `s${index}`), [80]);
    });

    test("starts with nothing at all", options, async () => {
      await reader.start(bed.source);
      assert.deepEqual(comparable(reader.snapshot), comparable(meshFromYaml("")));
    });
  });
}
