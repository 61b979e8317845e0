// The inspecting commands through a real API server: its port-forward leads to a kubelet, and that into the pods.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import type { KubeObjects } from "../../src/kube/objects.ts";
import { TypeUrl } from "../../src/xds/names.ts";
import type { AdsTestClient } from "../support/ads-test-client.ts";
import { eventually } from "../support/eventually.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { applyInstallation, awaitRoots } from "../support/kubernetes/installation.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import { nodeOf, playPod, secureStream, sidecarToken } from "../support/kubernetes/meshed-pods.ts";
import { NODE_NAME, PlayedKubelet } from "../support/kubernetes/played-kubelet.ts";
import { playNamespace } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";
import type { MeshctlResult } from "../support/run-meshctl.ts";

const within = { withinMs: 60_000 };
const WEB = { namespace: "shop", name: "web-1", serviceAccount: "web", address: "10.244.0.2" };

describe("the inspecting commands, through a real API server,", () => {
  const kubelet = SKIPPED === undefined ? new PlayedKubelet() : undefined;
  const admin = createServer((request, response) => response.end(request.url === "/stats" ? "web.total: 1\n" : undefined));
  let cluster: RealCluster;
  let objects: KubeObjects;
  let controller: InstalledController;
  let stream: AdsTestClient;
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    objects = cluster.objects();
    await applyInstallation(cluster);
    await kubelet!.start(objects, cluster.addresses[0]!);
    await playNamespace(objects, "shop");
    controller = new InstalledController(cluster);
    const replica = await controller.start({ nodeName: NODE_NAME });
    await controller.ready(replica);
    await kubelet!.leadInto(`mesh-system/${replica.name}`, 15014, replica.process.pid);
    await playPod(objects, WEB, { nodeName: NODE_NAME });
    admin.listen(0, "127.0.0.1");
    await once(admin, "listening");
    kubelet!.lead("shop/web-1", 15000, (admin.address() as AddressInfo).port);
    stream = secureStream(replica.process.address, await sidecarToken(cluster, WEB), await awaitRoots(objects, "shop"));
    stream.send({ node: nodeOf(WEB), typeUrl: TypeUrl.cluster });
    stream.ack(await stream.next(60_000));
  });
  after(async () => {
    stream?.close();
    admin.close();
    await kubelet?.stop();
    await controller?.stop();
    await cluster?.stop();
  });

  const meshctl = (...args: readonly string[]): Promise<MeshctlResult> =>
    runMeshctl(args, { env: { KUBECONFIG: cluster.kubeconfig }, timeoutMs: 60_000 });

  test("proxy-status asks the controller on its loopback, which no network reaches", REAL, async () => {
    const { code, stdout, stderr } = await meshctl("proxy-status");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^web-1\.shop +Kubernetes +SYNCED/m);
    assert.ok(kubelet!.asked.some((each) => each.startsWith("15014 mesh-system/controller-")));
  });

  test("version tells what the control plane runs", REAL, async () => {
    const { code, stdout, stderr } = await meshctl("version");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /control plane version: \S+/i);
  });

  for (const workload of ["web-1.shop", "pod/web-1.shop"]) {
    test(`stats ${workload} reads the admin port of the sidecar`, REAL, async () => {
      const { code, stdout, stderr } = await meshctl("stats", "--raw", workload);
      assert.deepEqual([code, stdout], [0, "web.total: 1\n"], stderr);
    });
  }

  test("say it once when nothing listens in the pod", REAL, async () => {
    await playPod(objects, { ...WEB, name: "deaf-1", address: "10.244.0.9" }, { nodeName: NODE_NAME });
    const { code, stdout, stderr } = await meshctl("stats", "--raw", "deaf-1.shop");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^meshctl: .*deaf-1.*\n/);
  });

  test("work for a person who may do no more than forward ports", REAL, async () => {
    const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "looker" } };
    const rules = [
      { apiGroups: [""], resources: ["pods", "services"], verbs: ["get", "list"] },
      { apiGroups: ["apps"], resources: ["deployments", "replicasets"], verbs: ["get", "list"] },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list"] },
      { apiGroups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] },
    ];
    await objects.create({ ...role, rules });
    const subjects = [{ kind: "User", name: "jane", apiGroup: "rbac.authorization.k8s.io" }];
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "looker" };
    await objects.create({ ...role, kind: "ClusterRoleBinding", subjects, roleRef });
    await eventually(
      async () => assert.equal((await meshctl("stats", "--raw", "web-1.shop", "--as", "jane")).stdout, "web.total: 1\n"),
      within,
    );
    const refused = await meshctl("stats", "--raw", "web-1.shop", "--as", "joe");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /joe/);
  });
});
