// An installation from its first apply to its last delete, on a real API server, with a controller that runs meanwhile.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ClusterConnection } from "../../src/kube/cluster-connection.ts";
import type { KubeObjects } from "../../src/kube/objects.ts";
import { eventually } from "../support/eventually.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import type { Replica } from "../support/kubernetes/installed-controller.ts";
import { initialInventory, inventory, playNamespace, playNamespaceEnd } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";
import type { MeshctlResult } from "../support/run-meshctl.ts";

const within = { withinMs: 60_000 };
const MESH = "mesh-system";
const DEPLOYMENT = { apiVersion: "apps/v1", kind: "Deployment", namespace: MESH, name: "controller" };

describe("the life of an installation on a real API server", () => {
  let cluster: RealCluster;
  let admin: ClusterConnection;
  let objects: KubeObjects;
  let controller: InstalledController;
  let replica: Replica;
  let initial: readonly string[];
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    admin = cluster.connect();
    objects = cluster.objects();
    await playNamespace(objects, "shop", { "meshctl.io/inject": "enabled" });
    initial = await initialInventory(admin);
  });
  after(async () => {
    await controller?.stop();
    await cluster?.stop();
  });

  const meshctl = (...args: readonly string[]): Promise<MeshctlResult> =>
    runMeshctl(args, { env: { KUBECONFIG: cluster.kubeconfig }, timeoutMs: 60_000 });
  async function runs(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await meshctl(...args);
    assert.equal(code, 0, stderr);
    return stdout;
  }
  const added = async (): Promise<string[]> => (await inventory(admin)).filter((each) => !initial.includes(each));

  test("install --apply --dry-run=server is checked whole and leaves nothing", REAL, async () => {
    await runs("install", "--apply", "--dry-run=server");
    assert.deepEqual(await added(), []);
  });

  test("install --apply --wait installs, and ends when the controller is ready", REAL, async () => {
    const installing = runs("install", "--apply", "--wait", "50s");
    await eventually(async () => assert.ok(await objects.get(DEPLOYMENT)), within);
    controller = new InstalledController(cluster);
    replica = await controller.start();
    await controller.ready(replica);
    await controller.serve(replica);
    await controller.playAvailable(1);
    await installing;
    for (const each of ["Secret mesh-system/meshctl-ca", "Lease mesh-system/meshctl-controller", "ConfigMap shop/meshctl-root-cert"])
      await eventually(async () => assert.ok((await added()).includes(each), each), within);
  });

  test("upgrade keeps the values that were given, shows what changes, and then changes it", REAL, async () => {
    assert.equal(await runs("upgrade", "--diff"), "");
    const set = ["--set", "controller.logLevel=debug"];
    const diff = await runs("upgrade", "--diff", ...set);
    assert.match(diff, /^-.*--log-level=info$/m);
    assert.match(diff, /^\+.*--log-level=debug$/m);
    await runs("upgrade", "--apply", ...set);
    assert.match(await runs("upgrade"), /--log-level=debug/);
    assert.equal(await runs("upgrade", "--diff"), "");
    assert.equal(await runs("upgrade", "--prune"), "");
    // What the controller owns is still its own.
    await eventually(() => objects.create(pod("trial"), { dryRun: true }), within);
  });

  test("upgrade can be piped to kubectl apply, too, and changes nothing more", REAL, async () => {
    const yaml = await runs("upgrade");
    await cluster.kubectl(["apply", "-f", "-"], yaml);
    const { code, stdout } = await cluster.kubectl(["apply", "-f", "-"], yaml);
    assert.equal(code, 0);
    assert.deepEqual(
      stdout
        .trimEnd()
        .split("\n")
        .filter((each) => !each.endsWith(" unchanged")),
      [],
    );
  });

  test("uninstall refuses while there is a meshed pod, and names it", REAL, async () => {
    await objects.create(pod("web"));
    const { code, stdout, stderr } = await meshctl("uninstall");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /shop\/web/);
    await objects.delete({ ...pod("web"), namespace: "shop", name: "web" });
  });

  test("uninstall leaves nothing of ours but the CRDs, though the controller still runs", REAL, async () => {
    await objects.create({
      apiVersion: "networking.istio.io/v1",
      kind: "DestinationRule",
      metadata: { name: "users", namespace: "shop" },
      spec: { host: "web" },
    });
    const { code, stderr } = await cluster.kubectl(["delete", "--wait=false", "-f", "-"], await runs("uninstall"));
    assert.equal(code, 0, stderr);
    await replica.process.stop();
    await playNamespaceEnd(admin, MESH);
    assert.deepEqual(await added(), [
      "CustomResourceDefinition destinationrules.networking.istio.io",
      "CustomResourceDefinition peerauthentications.security.istio.io",
      "CustomResourceDefinition virtualservices.networking.istio.io",
      "DestinationRule shop/users",
    ]);
  });

  test("uninstall --crds counts the users' objects that go with them, and leaves nothing at all", REAL, async () => {
    const { code, stdout, stderr } = await meshctl("uninstall", "--crds");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /DestinationRule: 1 object goes with it/);
    assert.equal((await cluster.kubectl(["delete", "--wait=false", "-f", "-"], stdout)).code, 0);
    await eventually(async () => assert.deepEqual(await added(), []), within);
  });
});

function pod(name: string): Parameters<KubeObjects["create"]>[0] {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "shop" }, spec: { containers: [{ name: "web", image: "web" }] } };
}
