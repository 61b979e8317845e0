// The ConfigMap with the mesh's roots in every namespace, against the API server double.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Logger } from "../../../../src/common/log.ts";
import { systemClock } from "../../../../src/common/clock.ts";
import { ControlMetrics } from "../../../../src/control-plane/admin/control-metrics.ts";
import { TrustBundles } from "../../../../src/control-plane/cluster/trust-bundles.ts";
import type { Leadership } from "../../../../src/kube/lease.ts";
import { KubeObjects } from "../../../../src/kube/objects.ts";
import type { KubeObject } from "../../../../src/kube/resource-kind.ts";
import { ApiFailure } from "../../../support/api-server/api-status.ts";
import { startConnectedApiServer } from "../../../support/api-server/connected.ts";
import type { ConnectedApiServer } from "../../../support/api-server/connected.ts";
import { eventually } from "../../../support/eventually.ts";

class Leading implements Leadership {
  current: boolean;
  #listener: (isLeader: boolean) => void = () => undefined;

  constructor(current: boolean) {
    this.current = current;
  }

  onChange(listener: (isLeader: boolean) => void): () => void {
    this.#listener = listener;
    return () => (this.#listener = () => undefined);
  }

  become(isLeader: boolean): void {
    this.current = isLeader;
    this.#listener(isLeader);
  }
}

const within = { withinMs: 5_000 };
const namespace = (name: string): Record<string, unknown> => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
const bundleIn = (name: string): Record<string, unknown> => ({
  ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "meshctl-root-cert", namespace: name } },
});
let api: ConnectedApiServer;
let objects: KubeObjects;
let bundles: TrustBundles | undefined;
let metrics: ControlMetrics;
let lines: string[];

beforeEach(async () => {
  api = await startConnectedApiServer();
  objects = new KubeObjects({ connection: api.connection, clock: systemClock });
  metrics = new ControlMetrics("test");
  lines = [];
  for (const each of ["default", "shop", "kube-system", "kube-public", "kube-node-lease"]) api.server.create(namespace(each));
});
afterEach(async () => {
  bundles?.stop();
  await api.close();
});

function keep(leadership: Leadership = new Leading(true), rootsPem = "ROOTS"): void {
  const say = (_fields: unknown, line: unknown): unknown => lines.push(String(line));
  const log = { info: say, warn: say } as unknown as Logger;
  bundles = new TrustBundles({
    ...{ connection: api.connection, leadership, namespace: "mesh-system", rootsPem, metrics, clock: systemClock, log },
  });
}
async function read(): Promise<KubeObject[]> {
  return (await objects.list({ apiVersion: "v1", kind: "ConfigMap" }, { fieldSelector: "metadata.name=meshctl-root-cert" })) ?? [];
}
const holds = (expected: readonly string[], pem = "ROOTS"): Promise<void> =>
  eventually(async () => {
    const found = await read();
    assert.deepEqual(found.map((each) => each.metadata.namespace).sort(), [...expected].sort());
    for (const each of found) assert.deepEqual(each["data"], { "root-cert.pem": pem });
  }, within);

describe("the trust bundles", () => {
  test("are in every namespace but the system's, with our label", async () => {
    keep();
    await holds(["default", "shop"]);
    for (const { metadata } of await read())
      assert.deepEqual((metadata as { labels?: unknown }).labels, { "meshctl.io/installation": "mesh-system" });
  });

  test("come with a namespace, and leave others' ConfigMaps alone", async () => {
    api.server.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "app", namespace: "shop" }, data: { a: "1" } });
    keep();
    await holds(["default", "shop"]);
    api.server.create(namespace("new"));
    await holds(["default", "shop", "new"]);
    assert.deepEqual((await objects.get({ apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "app" }))?.["data"], { a: "1" });
  });

  test("are put right when somebody changes or deletes one, and keep what others labelled", async () => {
    keep();
    await holds(["default", "shop"]);
    api.server.delete(bundleIn("shop"));
    await holds(["default", "shop"]);
    const labels = { theirs: "x" };
    api.server.replace({
      ...bundleIn("shop"),
      metadata: { name: "meshctl-root-cert", namespace: "shop", labels },
      data: { "root-cert.pem": "EVIL", more: "x" },
    });
    await holds(["default", "shop"]);
    const found = await objects.get({ ...{ apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "meshctl-root-cert" } });
    assert.deepEqual((found?.metadata as { labels?: unknown }).labels, { theirs: "x", "meshctl.io/installation": "mesh-system" });
  });

  test("are brought up to date with new roots, and not written when they are right", async () => {
    keep();
    await holds(["default", "shop"]);
    bundles!.stop();
    const before = metrics.trustBundleWrites;
    keep();
    api.server.create(namespace("later"));
    await holds(["default", "shop", "later"]);
    assert.equal(metrics.trustBundleWrites - before, 1);
    bundles!.stop();
    keep(new Leading(true), "NEW ROOTS");
    await holds(["default", "shop", "later"], "NEW ROOTS");
  });

  test("are not written before it is known which are there", async () => {
    keep();
    await holds(["default", "shop"]);
    bundles!.stop();
    await eventually(() => assert.equal(api.server.watches(), 0), within);
    let isFirst = true;
    api.server.onRequest = ({ path }) => {
      if (path !== "/api/v1/configmaps" || !isFirst) return;
      isFirst = false;
      api.server.failNext(new ApiFailure(503, "ServiceUnavailable", "away"));
    };
    api.server.requests.length = 0;
    keep();
    await eventually(() => assert.equal(api.server.watches(), 2), within);
    assert.equal(isFirst, false);
    assert.deepEqual(
      api.server.requests.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`),
      [],
    );
  });

  test("are written by the leader only", async () => {
    const leadership = new Leading(false);
    keep(leadership);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(api.server.requests.length, 0);
    leadership.become(true);
    await holds(["default", "shop"]);
    leadership.become(false);
    await eventually(() => assert.equal(api.server.watches(), 0), within);
    api.server.delete(bundleIn("shop"));
    await holds(["default"]);
  });

  test("are tried again where a write fails, and don't hold the others up", async () => {
    api.server.onRequest = ({ method, path }) => {
      if (method !== "POST" || !path.includes("/shop/") || lines.length > 0) return;
      api.server.failNext(new ApiFailure(500, "InternalError", "etcd is away"));
    };
    keep();
    await holds(["default", "shop"]);
    assert.match(lines[0]!, /^can't write meshctl-root-cert: etcd is away$/);
  });
});
