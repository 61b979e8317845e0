// Port-forwarding and the commands that use it through a real API server, to a kubelet that is played.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../src/common/clock.ts";
import { ApiError } from "../../src/kube/api-error.ts";
import { openPortForward } from "../../src/kube/port-forward.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { KubeletDouble } from "../support/kubernetes/kubelet-double.ts";
import { playNamespace } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";
import type { MeshctlResult } from "../support/run-meshctl.ts";

const NAMESPACE = "shop";
const OPTIONS = { clock: systemClock, timeoutMs: 10_000 };

describe("port-forwarding through a real API server", () => {
  const home = mkdtempSync(join(tmpdir(), "meshctl-home-"));
  let cluster: RealCluster;
  let kubelet: KubeletDouble;
  const sidecar = http.createServer((request, response) => response.end(request.url === "/stats" ? "a.b: 1\n" : "nothing"));
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    const objects = cluster.objects();
    await playNamespace(objects, NAMESPACE);
    kubelet = new KubeletDouble("played", cluster.addresses[0] ?? "");
    await kubelet.start(objects);
    await once(sidecar.listen(0, "127.0.0.1"), "listening");
    const { port } = sidecar.address() as AddressInfo;
    kubelet.forward = (namespace, pod, wanted) => (`${namespace}/${pod}:${wanted}` === "shop/web-1:15000" ? { port } : undefined);
    const name = { apiVersion: "v1", kind: "Pod", namespace: NAMESPACE, name: "web-1" };
    const containers = [
      { name: "app", image: "app" },
      { name: "meshctl-proxy", image: "meshctl" },
    ];
    await objects.create({ ...name, metadata: { name: "web-1", namespace: NAMESPACE }, spec: { nodeName: "played", containers } });
    const startedAt = "2026-01-01T00:00:00Z";
    const containerStatuses = containers.map((each) => ({
      ...each,
      ...{ imageID: "", ready: true, restartCount: 0, state: { running: { startedAt } } },
    }));
    const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }], containerStatuses };
    await objects.mergePatch(name, { status }, { subresource: "status" });
    await grant("reader", [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] }]);
    await grant("forwarder", [
      { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
      { apiGroups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] },
    ]);
  });
  after(async () => {
    kubelet?.stop();
    sidecar.closeAllConnections();
    sidecar.close();
    await cluster?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  /** To the user of that name, in the namespace. */
  async function grant(name: string, rules: readonly object[]): Promise<void> {
    const objects = cluster.objects();
    const group = "rbac.authorization.k8s.io";
    const metadata = { name, namespace: NAMESPACE };
    await objects.create({ apiVersion: `${group}/v1`, kind: "Role", metadata, rules });
    const roleRef = { apiGroup: group, kind: "Role", name };
    await objects.create({
      apiVersion: `${group}/v1`,
      kind: "RoleBinding",
      metadata,
      roleRef,
      subjects: [{ apiGroup: group, kind: "User", name }],
    });
  }

  function stats(...args: readonly string[]): Promise<MeshctlResult> {
    const env = { KUBECONFIG: cluster.kubeconfig, HOME: home };
    return runMeshctl(["stats", "--raw", "web-1", "-n", NAMESPACE, ...args], { env });
  }

  test("carries bytes both ways and ends when the pod does", REAL, async () => {
    const target = { namespace: NAMESPACE, pod: "web-1", port: 15000 };
    const stream = await openPortForward(cluster.connect(), target, OPTIONS);
    stream.write("GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert.match(await text(stream), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\na\.b: 1\n$/);
  });

  test("tells what the kubelet says, and that there is no such pod", REAL, async () => {
    const refusal = async (pod: string, port: number): Promise<ApiError> => {
      try {
        await text(await openPortForward(cluster.connect(), { namespace: NAMESPACE, pod, port }, OPTIONS));
      } catch (error) {
        assert.ok(error instanceof ApiError, String(error));
        return error;
      }
      return assert.fail("nothing was refused");
    };
    assert.match((await refusal("web-1", 1)).message, /connection refused$/);
    const missing = await refusal("web-2", 15000);
    assert.deepEqual([missing.code, missing.message], [404, 'pods "web-2" not found']);
  });

  test("lets a command ask a sidecar, as anybody who may forward ports of pods", REAL, async () => {
    for (const args of [[], ["--as", "forwarder"]]) {
      const result = await stats(...args);
      assert.deepEqual([result.code, result.stderr, result.stdout], [0, "", "a.b: 1\n"]);
    }
  });

  test("says which permission is missing", REAL, async () => {
    const reader = await stats("--as", "reader");
    assert.equal(reader.code, 1);
    assert.match(reader.stderr, /^meshctl: not allowed to get pods\/portforward in namespace shop: .*User "reader" cannot/);
    const nobody = await stats("--as", "nobody");
    assert.match(nobody.stderr, /^meshctl: not allowed to get pods in namespace shop: .*User "nobody" cannot/);
  });
});
