// `meshctl check` against a real API server, before and after an installation.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { KubeObjects } from "../../src/kube/objects.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { applyInstallation } from "../support/kubernetes/installation.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import { NODE_NAME, PlayedKubelet } from "../support/kubernetes/played-kubelet.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";
import type { MeshctlResult } from "../support/run-meshctl.ts";

describe("meshctl check on a real API server", () => {
  const kubelet = SKIPPED === undefined ? new PlayedKubelet() : undefined;
  let cluster: RealCluster;
  let objects: KubeObjects;
  let controller: InstalledController | undefined;
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    objects = cluster.objects();
    await kubelet!.start(objects, cluster.addresses[0]!);
  });
  after(async () => {
    await kubelet?.stop();
    await controller?.stop();
    await cluster?.stop();
  });

  const check = (...args: readonly string[]): Promise<MeshctlResult> =>
    runMeshctl(["check", ...args], { env: { KUBECONFIG: cluster.kubeconfig }, timeoutMs: 60_000 });

  test("--pre finds a cluster fit that has nothing yet", REAL, async () => {
    const { code, stdout, stderr } = await check("--pre");
    assert.equal(code, 0, `${stdout}${stderr}`);
  });

  test("finds nothing wrong with an installation that has just become ready", REAL, async () => {
    await applyInstallation(cluster);
    controller = new InstalledController(cluster);
    const replica = await controller.start({ nodeName: NODE_NAME });
    await controller.ready(replica);
    await controller.serve(replica);
    await controller.playAvailable(1);
    for (const port of [15014, 15017]) await kubelet!.leadInto(`mesh-system/${replica.name}`, port, replica.process.pid);
    const result = await check();
    assert.equal(result.code, 0, `${result.stdout}${result.stderr}`);
  });

  test("fails when a CustomResourceDefinition is gone, and names it", REAL, async () => {
    const name = "peerauthentications.security.istio.io";
    await objects.delete({ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", name });
    const { code, stdout, stderr } = await check();
    assert.notEqual(code, 0, `${stdout}${stderr}`);
    assert.ok(stdout.includes(name), stdout);
  });
});
