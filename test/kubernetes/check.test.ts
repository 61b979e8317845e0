// `meshctl check` on a real API server: before an installation, by a user with few permissions, and of a control plane
// that runs as installed.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../src/common/clock.ts";
import type { KubeObjects } from "../../src/kube/objects.ts";
import { requestJson } from "../../src/kube/request-json.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import { KubeletDouble } from "../support/kubernetes/kubelet-double.ts";
import { playNamespace } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";

const NAMESPACE = "mesh-system";

interface Report {
  readonly categories: readonly {
    readonly categoryName: string;
    readonly checks: readonly { readonly description: string; readonly result: string; readonly error?: string }[];
  }[];
}

describe("meshctl check on a real API server", () => {
  let cluster: RealCluster;
  let objects: KubeObjects;
  let controller: InstalledController;
  let kubelet: KubeletDouble;
  const relays: Server[] = [];
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    objects = cluster.objects();
    kubelet = new KubeletDouble("played", cluster.addresses[0] ?? "");
    await kubelet.start(objects);
  });
  after(async () => {
    for (const each of relays) each.close();
    kubelet?.stop();
    await controller?.stop();
    await cluster?.stop();
  });

  async function problems(...args: string[]): Promise<string[]> {
    const { stdout, stderr } = await runMeshctl(["check", "--kubeconfig", cluster.kubeconfig, "-o", "json", ...args]);
    assert.notEqual(stdout, "", stderr);
    return (JSON.parse(stdout) as Report).categories.flatMap(({ categoryName, checks }) =>
      checks.flatMap((each) => (each.result === "success" ? [] : [`${categoryName}: ${each.result}: ${each.error}`])),
    );
  }

  /** Leads a loopback port, all that a kubelet double connects to, to a port of a pod. */
  async function relay(host: string, port: number): Promise<number> {
    const server = createServer((socket) => {
      const pod = connect(port, host);
      for (const [from, to] of [
        [socket, pod],
        [pod, socket],
      ] as const) {
        from.pipe(to);
        from.on("error", () => to.destroy());
      }
    });
    relays.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  }

  test("lets an administrator install, and tells somebody else which permissions are lacking", REAL, async () => {
    assert.deepEqual(await problems("--pre"), []);
    const found = (await problems("--pre", "--as", "jane")).join("\n");
    assert.match(
      found,
      /^pre-kubernetes-setup: error: .*you may not get, create, patch customresourcedefinitions\.apiextensions\.k8s\.io/m,
    );
    assert.match(found, /^kubernetes-version: warning: could not be checked: you lack the permission to list nodes in the whole cluster$/m);
  });

  test("asks of an installer exactly what kubectl apply needs", REAL, async () => {
    const rules = (await problems("--pre", "--as", "installer"))
      .join("\n")
      .matchAll(/^(?:.*: error: )?you may not (\S.*?) ([a-z/]+)((?:\.[a-z0-9.]+)?) in (the whole cluster|namespace \S+)$/gm);
    const granted = [...rules].map(([, verbs = "", resource = "", group = ""]) => ({
      apiGroups: [group.slice(1)],
      resources: [resource],
      verbs: verbs.split(", "),
    }));
    const metadata = { name: "installer" };
    const rbac = { apiVersion: "rbac.authorization.k8s.io/v1" };
    await objects.create({ ...rbac, kind: "ClusterRole", metadata, rules: granted });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "installer" };
    const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "installer" }];
    await objects.create({ ...rbac, kind: "ClusterRoleBinding", metadata, roleRef, subjects });
    const left = await problems("--pre", "--as", "installer");
    assert.deepEqual(
      left.filter((each) => each.includes(": error: ")),
      [],
    );
    const { stdout } = await runMeshctl(["install", "--offline"]);
    const applied = await cluster.kubectl(["apply", "--as", "installer", "-f", "-"], stdout);
    assert.equal(applied.code, 0, applied.stderr);
  });

  test("waits for a control plane, and finds nothing wrong with one that runs", REAL, async () => {
    await playNamespace(objects, "shop", { "meshctl.io/inject": "enabled" });
    assert.match((await problems("--wait", "0s")).join("\n"), /^control-plane: error: 0 of 1 replicas are available$/m);
    controller = new InstalledController(cluster);
    const replica = await controller.start();
    await controller.ready(replica);
    const { name, process } = replica;
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}/binding`;
    const body = { apiVersion: "v1", kind: "Binding", metadata: { name }, target: { apiVersion: "v1", kind: "Node", name: "played" } };
    await requestJson(cluster.connect(), { method: "POST", path, body }, { clock: systemClock, timeoutMs: 10_000 });
    const conditions = [{ type: "Ready", status: "True" }];
    const subresource = { subresource: "status" };
    await objects.mergePatch({ apiVersion: "v1", kind: "Pod", namespace: NAMESPACE, name }, { status: { conditions } }, subresource);
    const status = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1, observedGeneration: 1 };
    await objects.mergePatch(
      { apiVersion: "apps/v1", kind: "Deployment", namespace: NAMESPACE, name: "controller" },
      { status },
      subresource,
    );
    const ports = new Map([
      [15014, await relay(process.address, 15014)],
      [15017, await relay(process.address, 15017)],
    ]);
    kubelet.forward = (_namespace, _pod, port) => (ports.has(port) ? { port: ports.get(port)! } : undefined);
    await controller.serve(replica);
    assert.deepEqual(await problems("--wait", "30s"), []);
  });

  test("sees what a hand or a tool has broken", REAL, async () => {
    const injector = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      name: "meshctl-sidecar-injector",
    };
    await objects.mergePatch({ apiVersion: "v1", kind: "Namespace", name: "shop" }, strict);
    await objects.delete({ apiVersion: "v1", kind: "Service", namespace: NAMESPACE, name: "controller" });
    await objects.delete(injector);
    const found = (await problems("--wait", "0s")).join("\n");
    assert.match(found, /^meshed-namespaces: error: namespace shop enforces Pod Security "restricted"/m);
    assert.match(
      found,
      /^control-plane: error: Service controller in namespace mesh-system is missing\nMutatingWebhookConfiguration meshctl-sidecar-injector is missing$/m,
    );
  });
});

const strict = { metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } } };
