// The inspecting commands as real processes on a cluster: the API server double, and sidecars behind its port-forward.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { ClusterDouble } from "../../support/api-server/cluster-double.ts";

const golden = resolve(import.meta.dirname, "../../golden/proxy-config");
const DUMP = readFileSync(join(golden, "istio-sidecar.json"), "utf8");
const hash = { "pod-template-hash": "7d9c" };

describe("an inspecting command on a cluster", () => {
  const cluster = new ClusterDouble();
  const sidecar = (name: string) => (path: string) =>
    path === "/stats" ? `${name}.total: 1\n` : path === "/config_dump" ? DUMP : undefined;
  const meshed = (name: string, owner: string, isReady = true) =>
    cluster.addPod({ name, labels: hash, owner: { kind: "ReplicaSet", name: `${owner}-7d9c` }, isReady, ports: { 15000: sidecar(name) } });
  before(async () => {
    await cluster.start();
    await meshed("web-7d9c-a", "web", false);
    await meshed("web-7d9c-c", "web");
    await meshed("web-7d9c-b", "web");
    await cluster.addPod({ name: "plain", initContainers: [] });
    await cluster.addPod({ name: "deaf" });
    await cluster.addPod({
      name: "stuck",
      status: {
        phase: "Pending",
        initContainerStatuses: [{ name: "meshctl-proxy", state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } } }],
      },
    });
    await cluster.addPod({ name: "istio", containers: ["app", "istio-proxy"], initContainers: [], ports: { 15000: sidecar("istio") } });
    await cluster.addPod({ name: "done-29000000-x", owner: { kind: "Job", name: "done-29000000" }, status: { phase: "Succeeded" } });
    cluster.api.create({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "idle", namespace: "shop" } });
    cluster.api.create({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "front-1", namespace: "shop", labels: { "kubernetes.io/service-name": "front" } },
      endpoints: [{ targetRef: { kind: "Pod", name: "web-7d9c-c" } }],
    });
  });
  after(() => cluster.stop());

  /** The pod whose sidecar answers. */
  async function statsOf(...args: readonly string[]): Promise<string | undefined> {
    const result = await cluster.run("stats", "--raw", ...args);
    assert.equal(result.stderr, "");
    return /^(\S+)\.total: 1\n$/.exec(result.stdout)?.[1];
  }

  /** Standard error of a command that fails. */
  async function refusal(...args: readonly string[]): Promise<string> {
    const result = await cluster.run("stats", "--raw", ...args);
    assert.deepEqual([result.code, result.stdout], [1, ""]);
    // A local mesh of somebody else on this machine is offered, too.
    return result.stderr.replaceAll(cluster.api.url, "SERVER").replace("; or add --local to look into the local mesh", "");
  }

  describe("means by a workload argument", { concurrency: 2 }, () => {
    for (const [argument, pod] of [
      ["web-7d9c-a", "web-7d9c-a"],
      ["web", "web-7d9c-b"],
      ["deploy/web.shop", "web-7d9c-b"],
      ["svc/front", "web-7d9c-c"],
      ["front", "web-7d9c-c"],
      ["istio", "istio"],
    ] as const) {
      test(`${pod} for ${argument}`, async () => assert.equal(await statsOf(argument), pod));
    }
  });

  test("prints what a sidecar's dump says, just as from a file", async () => {
    const result = await cluster.run("proxy-config", "cluster", "web");
    assert.equal(result.stderr, "");
    assert.equal(result.stdout, readFileSync(join(golden, "cluster.txt"), "utf8"));
  });

  test("takes namespace, kubeconfig, context and user as kubectl does", async () => {
    cluster.useContext(undefined);
    try {
      assert.match(await refusal("web"), /no pod, owner or Service named web in namespace default|there is no namespace default/);
      assert.equal(await statsOf("web", "-n", "shop"), "web-7d9c-b");
    } finally {
      cluster.useContext("shop");
    }
    const other = join(cluster.folder, "other");
    writeFileSync(other, readFileSync(cluster.kubeconfig, "utf8").replaceAll('"double"', '"second"'));
    const env = { KUBECONFIG: `/nonexistent:${other}:${cluster.kubeconfig}` };
    const result = await cluster.runWith(env, "stats", "--raw", "web", "--context", "second", "--as", "jane");
    assert.equal(result.stderr, "");
    assert.ok(cluster.api.requests.slice(-3).every((each) => each.as === "jane"));
    const explicit = await cluster.runWith({ KUBECONFIG: "" }, "stats", "--raw", "web", "--kubeconfig", other);
    assert.equal(explicit.code, 0, explicit.stderr);
    assert.match((await cluster.run("stats", "web", "--context", "none")).stderr, /^meshctl: no context "none" in .*\n  choose one/);
  });

  test("says what there is instead of what isn't", async () => {
    const [typo, namespace, idle, ended] = await Promise.all([
      refusal("wbe"),
      refusal("web", "-n", "shpo"),
      refusal("idle"),
      refusal("done-29000000-x"),
    ]);
    assert.equal(
      typo,
      "meshctl: no pod, owner or Service named wbe in namespace shop\n" +
        "  did you mean web? running: deaf.shop, istio.shop, plain.shop, stuck.shop, web.shop\n",
    );
    assert.equal(namespace, "meshctl: there is no namespace shpo\n  did you mean shop?\n");
    assert.equal(idle, "meshctl: deployment/idle.shop has no pods\n  kubectl -n shop describe deployment idle tells why\n");
    assert.match(ended, /^meshctl: container meshctl-proxy of pod done-29000000-x.shop isn't running: the pod is Succeeded\n/);
  });

  test("says why a pod's sidecar can't be asked", async () => {
    const [plain, stuck, deaf] = await Promise.all([refusal("plain"), refusal("stuck"), refusal("deaf")]);
    assert.match(plain, /^meshctl: pod plain.shop has no sidecar\n  .*meshctl check --proxy -n shop/);
    assert.equal(
      stuck,
      "meshctl: container meshctl-proxy of pod stuck.shop isn't running: ImagePullBackOff: no such image\n" +
        "  kubectl -n shop describe pod stuck tells more\n",
    );
    assert.equal(
      deaf,
      "meshctl: the sidecar of deaf.shop does not answer /stats: nothing listens there\n" +
        "  see kubectl -n shop logs deaf -c meshctl-proxy\n",
    );
  });

  test("says that the pod's node is away, or gives no answer", async () => {
    const { api } = cluster;
    const { forward } = api;
    try {
      api.onRequest = ({ path }) => {
        const away = "error dialing backend: dial tcp 10.0.0.7:10250: connect: no route to host";
        if (path.endsWith("/portforward")) api.failNext(new ApiFailure(500, "InternalError", away));
      };
      assert.match(await refusal("web"), /^meshctl: the API server can't reach the pod's node: error dialing .*\n  kubectl get nodes/);
      api.onRequest = () => undefined;
      api.forward = () => "silent";
      assert.match(await refusal("web"), /^meshctl: the sidecar of web-7d9c-b.shop does not answer \/stats: no answer within 5 s\n/);
    } finally {
      api.onRequest = () => undefined;
      api.forward = forward;
    }
  });

  test("names the permission that is missing", async () => {
    const { api } = cluster;
    try {
      api.forbids = ({ path }) => path.endsWith("/portforward");
      assert.equal(
        await refusal("web", "--as", "jane"),
        'meshctl: not allowed to get pods/portforward in namespace shop: pods "web-7d9c-b" is forbidden: User "jane" cannot get resource ' +
          '"pods/portforward" in API group "" in the namespace "shop"\n' +
          "  ask for this permission; kubectl auth can-i get pods/portforward -n shop tells whether you have it\n",
      );
      api.forbids = ({ path }) => path.endsWith("/pods");
      assert.match(await refusal("web"), /^meshctl: not allowed to list pods in namespace shop: /);
      api.forbids = ({ path }) => path.includes("/pods");
      assert.match(await refusal("web"), /^meshctl: not allowed to get pods in namespace shop: /);
      api.forbids = ({ path }) => path.endsWith("/pods");
      // A pod's own name takes no list.
      assert.equal(await statsOf("web-7d9c-b"), "web-7d9c-b");
      api.forbids = ({ path }) => path.includes("endpointslices");
      assert.equal(await statsOf("web"), "web-7d9c-b");
    } finally {
      api.forbids = () => false;
    }
  });

  test("says that the cluster can't be reached, is slow, fails or doesn't accept the token", async () => {
    const { api } = cluster;
    const hint = "  see whether it runs and kubectl reaches it, or choose another context with --context\n";
    api.tokens = new Set(["t0ken"]);
    cluster.useContext("shop", "0ld");
    try {
      assert.equal(
        await refusal("web"),
        "meshctl: the API server at SERVER doesn't accept these credentials\n" +
          "  log in again, its token may have expired; or choose another context with --context\n",
      );
    } finally {
      api.tokens = undefined;
      cluster.useContext("shop");
    }
    api.failNext(new ApiFailure(500, "InternalError", "etcd is on fire"));
    assert.match(await refusal("web"), /^meshctl: the API server at SERVER fails: etcd is on fire\n  try again/);
    api.hold();
    assert.equal(await refusal("web"), `meshctl: can't reach the API server at SERVER: no answer within 10 s\n${hint}`);
    api.release();
    await api.stop();
    try {
      assert.equal(await refusal("web"), `meshctl: can't reach the API server at SERVER: nothing listens there\n${hint}`);
    } finally {
      await api.start();
    }
  });

  test("refuses to look at a cluster and at the local mesh at once, and says when there is neither", async () => {
    const both = await cluster.run("stats", "web", "--local", "--context", "double");
    assert.deepEqual([both.code, both.stderr.split("\n")[0]], [64, "meshctl: --local and --context can't be given together"]);
    const none = await cluster.runWith({ KUBECONFIG: "/nonexistent" }, "stats", "web", "--local", "--mesh", "none-of-that-name");
    assert.match(none.stderr, /no local mesh named none-of-that-name/);
  });
});
