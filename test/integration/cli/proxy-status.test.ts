// proxy-status and version on a cluster with several replicas of the control plane, as real processes.
import { create, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { encodeResource } from "../../../src/xds/ads-resources.ts";
import { ClusterSchema } from "../../../src/xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { TypeUrl } from "../../../src/xds/names.ts";
import { ClusterDouble } from "../../support/api-server/cluster-double.ts";

type Syncz = readonly Readonly<Record<string, string>>[];

const synced = (proxy: string, version = "1.1"): Record<string, string> => ({
  cluster_id: "Kubernetes",
  proxy,
  istio_version: version,
  ...Object.fromEntries(
    ["cluster", "listener", "endpoint", "route"].flatMap((type) => [`${type}_sent`, `${type}_acked`].map((key) => [key, "3-x"])),
  ),
});
const cluster = (name: string): string =>
  Buffer.from(encodeResource(TypeUrl.cluster, name, toBinary(ClusterSchema, create(ClusterSchema, { name }))).bytes).toString("base64");
const dump = (...names: readonly string[]): object => ({
  configs: [
    {
      "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
      dynamic_active_clusters: names.map((name) => ({ cluster: { "@type": TypeUrl.cluster, name } })),
    },
    { "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump" },
    {
      "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
      dynamic_route_configs: [],
    },
  ],
});

describe("proxy-status and version on a cluster", () => {
  const mesh = new ClusterDouble();
  let syncz: Record<"a" | "b", Syncz | undefined>;
  let held: readonly string[];
  const controller = (name: "a" | "b", version: string) => (path: string) => {
    if (path === "/version") return `${version}\n`;
    if (path === "/debug/syncz") return syncz[name];
    if (path === "/debug/config_dump?proxyID=web-1.shop")
      return { clusters: { one: cluster("one"), two: cluster("two") }, listeners: {}, routes: {} };
    return undefined;
  };
  before(async () => {
    await mesh.start();
    await mesh.addController("controller-a", controller("a", "1.1"));
    await mesh.addController("controller-b", controller("b", "1.0"));
    await mesh.addPod({ name: "web-1", ports: { 15000: (path) => (path === "/config_dump" ? dump(...held) : undefined) } });
  });
  after(() => mesh.stop());
  beforeEach(() => {
    syncz = { a: [synced("web-1.shop")], b: [synced("db-1.blog", "1.0"), synced("api-1.shop")] };
    held = ["one", "two"];
  });

  test("lists the sidecars of every replica", async () => {
    const result = await mesh.run("proxy-status");
    assert.deepEqual([result.code, result.stderr], [0, ""]);
    assert.equal(
      result.stdout,
      [
        "NAME           CLUSTER        CDS        LDS        EDS        RDS        ECDS        ISTIOD           VERSION",
        "api-1.shop     Kubernetes     SYNCED     SYNCED     SYNCED     SYNCED     IGNORED     controller-b     1.1",
        "db-1.blog      Kubernetes     SYNCED     SYNCED     SYNCED     SYNCED     IGNORED     controller-b     1.0",
        "web-1.shop     Kubernetes     SYNCED     SYNCED     SYNCED     SYNCED     IGNORED     controller-a     1.1",
        "",
      ].join("\n"),
    );
    const types = await mesh.run("ps", "-v", "0", "-n", "blog");
    assert.equal(
      types.stdout,
      "NAME          CLUSTER        ISTIOD           VERSION     SUBSCRIBED TYPES\n" +
        "db-1.blog     Kubernetes     controller-b     1.0         4 (CDS,LDS,EDS,RDS)\n",
    );
  });

  test("tells what a sidecar lacks, and why it refused it", async () => {
    const { route_sent: _sent, route_acked: _acked, ...rest } = synced("web-1.shop");
    syncz.a = [{ ...rest, listener_acked: "2-x", listener_refused: "no such filter", endpoint_sent: "", endpoint_acked: "" }];
    const table = await mesh.run("ps");
    assert.match(table.stdout, /^web-1.shop +Kubernetes +SYNCED +STALE +NOT SENT +IGNORED +IGNORED +controller-a +1.1$/m);
    assert.equal(table.stderr, "web-1.shop refused its last LDS update: no such filter\n");
    const json = JSON.parse((await mesh.run("ps", "-o", "json")).stdout) as Record<string, unknown>[];
    assert.deepEqual(json.at(-1), {
      name: "web-1.shop",
      cluster: "Kubernetes",
      istiod: "controller-a",
      version: "1.1",
      states: { CDS: "SYNCED", LDS: "STALE", EDS: "NOT SENT", RDS: "IGNORED", ECDS: "IGNORED" },
      refused: { LDS: "no such filter" },
    });
  });

  test("tells which replica gives no answer, and exits with 1, the others being shown", async () => {
    syncz.b = undefined;
    const result = await mesh.run("ps");
    assert.equal(result.code, 1);
    assert.deepEqual(
      result.stdout.split("\n").map((line) => line.split(" ", 1)[0]),
      ["NAME", "web-1.shop", ""],
    );
    assert.match(result.stderr, /^meshctl: the control plane's controller-b.mesh-system answered \/debug\/syncz with 404/);
    syncz.a = undefined;
    assert.deepEqual([(await mesh.run("ps")).code, (await mesh.run("ps")).stdout], [1, ""]);
  });

  test("compares one sidecar with what it should have", async () => {
    const equal = await mesh.run("ps", "web-1");
    assert.deepEqual([equal.code, equal.stderr, equal.stdout], [0, "", "Clusters Match\nListeners Match\nRoutes Match\n"]);
    held = ["one", "three"];
    const different = await mesh.run("ps", "web-1");
    assert.equal(different.code, 1);
    assert.match(different.stdout, /^Clusters Don't Match\n--- Control Plane Clusters\n\+\+\+ Sidecar Clusters\n@@ .* @@\n/);
    assert.match(different.stdout, /^- {3}"name": "two"\n\+ {3}"name": "three"$/m);
    const json = JSON.parse((await mesh.run("ps", "web-1", "-o", "json")).stdout) as {
      matches: boolean;
      differences: { listeners: string };
    };
    assert.deepEqual([json.matches, json.differences.listeners], [false, ""]);
    syncz.a = [];
    const unknown = await mesh.run("ps", "web-1");
    assert.match(unknown.stderr, /^meshctl: web-1.shop is not connected to any replica of the control plane\n/);
  });

  test("says that no control plane is there", async () => {
    const result = await mesh.run("ps", "-i", "shop");
    assert.equal(result.code, 1);
    assert.match(result.stderr, /^meshctl: no control plane runs in namespace shop\n  install it: meshctl install/);
  });

  test("version tells client, replicas and sidecars, as text, numbers and JSON", async () => {
    const text = await mesh.run("version");
    assert.deepEqual([text.code, text.stderr], [0, ""]);
    const [client, ...rest] = text.stdout.split("\n");
    assert.match(client!, /^client version: \S+ \(node 26\.\S+, \S+\)$/);
    assert.deepEqual(rest, [
      "control plane version: 1.1 (1 replica), 1.0 (1 replica)",
      "data plane version: 1.1 (2 proxies), 1.0 (1 proxy)",
      "",
    ]);
    assert.deepEqual((await mesh.run("version", "--short")).stdout.split("\n").slice(1), ["1.0", "1.1", "1.0", "1.1", ""]);
    const json = JSON.parse((await mesh.run("version", "-o", "json")).stdout) as Record<string, unknown>;
    assert.deepEqual(json["meshVersion"], [
      { Component: "controller", Pod: "controller-a", Info: { version: "1.1" } },
      { Component: "controller", Pod: "controller-b", Info: { version: "1.0" } },
    ]);
    assert.deepEqual((json["dataPlaneVersion"] as object[])[0], { ID: "api-1.shop", IstioVersion: "1.1" });
  });

  test("version goes on without a cluster, and --client asks none", async () => {
    const { api } = mesh;
    await api.stop();
    try {
      const result = await mesh.run("version");
      assert.equal(result.code, 0);
      assert.deepEqual(result.stdout.split("\n").slice(1), ["control plane version: unavailable", "data plane version: unavailable", ""]);
      assert.match(result.stderr, /^meshctl: can't reach the API server at .*: nothing listens there\n/);
      const only = await mesh.run("version", "--client", "--short");
      assert.deepEqual([only.code, only.stderr], [0, ""]);
      assert.match(only.stdout, /^\S+\n$/);
    } finally {
      await api.start();
    }
  });
});
