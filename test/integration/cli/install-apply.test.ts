// `meshctl install --apply` as a person runs it: in order, checked first, and clear about what stands in its way.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import type { SeenRequest } from "../../support/api-server/api-server.ts";
import { InstalledCluster } from "../../support/api-server/installed-cluster.ts";
import { runMeshctl } from "../../support/run-meshctl.ts";
import type { MeshctlResult } from "../../support/run-meshctl.ts";

const DEPLOYMENT = "/apis/apps/v1/namespaces/mesh-system/deployments/controller";
const NAMESPACE = { apiVersion: "v1", kind: "Namespace", metadata: { name: "mesh-system" } };
let cluster: InstalledCluster;

const apply = (...args: readonly string[]): Promise<MeshctlResult> => cluster.meshctl("install", "--apply", ...args);

const changes = ({ stdout }: MeshctlResult): string[] => [...new Set([...stdout.matchAll(/^\S+ (.*)$/gm)].map((match) => match[1]!))];
const isKeptApply = (path: string) => (request: SeenRequest) =>
  request.method === "PATCH" && request.path === path && !request.query.has("dryRun");
const isDryApply = (path: string) => (request: SeenRequest) =>
  request.method === "PATCH" && request.path === path && request.query.has("dryRun");

describe("meshctl install --apply", () => {
  before(async () => {
    cluster = new InstalledCluster();
    await cluster.start();
  });
  beforeEach(() => cluster.forget());
  after(() => cluster.stop());

  test("says in a dry run what would be, and keeps nothing", async () => {
    const result = await apply("--dry-run=server");
    assert.deepEqual([result.code, changes(result), cluster.applied], [0, ["created (server dry run)"], []]);
    assert.match(result.stderr, /^the namespace is not there yet: for what goes into it, only permission was asked\n$/);
  });

  test("asks for permission where the namespace is yet to be made, and applies nothing without", async () => {
    cluster.server.reviews.set("SelfSubjectAccessReview", ({ resourceAttributes }) => ({
      allowed: (resourceAttributes as { resource: string }).resource !== "deployments",
    }));
    const { code, stdout, stderr } = await apply();
    cluster.server.reviews.set("SelfSubjectAccessReview", () => ({ allowed: true }));
    assert.deepEqual([code, stdout, cluster.applied], [1, "", []]);
    assert.match(stderr, /nothing was applied:\n {2}Deployment mesh-system\/controller: you may not create deployments in namespace mesh-/);
  });

  test("says after a break what it has applied, and goes on with the rest when it is run again", async () => {
    const webhook = new ApiFailure(500, "InternalError", "failed calling webhook policy.example.com");
    cluster.fail(isKeptApply(DEPLOYMENT), webhook, { once: true });
    const first = await apply();
    assert.equal(first.code, 1);
    assert.match(
      first.stderr,
      /^meshctl: can't apply Deployment mesh-system\/controller: failed calling webhook policy\.example\.com\n {2}applied so far, \d+ of \d+: customresourcedefinition.*namespace\/mesh-system, .*\n {2}run the same command again/,
    );
    assert.equal(first.stdout.split("\n").length - 1, cluster.applied.length - 1);
    cluster.forget();
    const second = await apply();
    assert.deepEqual([second.code, second.stderr], [0, "meshctl 0.1.0 is installed in namespace mesh-system\n"]);
    assert.match(second.stdout, /^namespace\/mesh-system unchanged$/m);
    assert.match(second.stdout, /^deployment\.apps\/controller created$/m);
  });

  test("changes nothing the second time, and applies as one field manager in the printed order", async () => {
    const result = await apply();
    assert.deepEqual([result.code, changes(result)], [0, ["unchanged"]]);
    const printed = await runMeshctl(["install", "--offline"]);
    const kinds = [...printed.stdout.matchAll(/^kind: (.*)$/gm)].map((match) => match[1]!.toLowerCase());
    assert.deepEqual(
      [...result.stdout.matchAll(/^([a-z]+)/gm)].map((match) => match[1]),
      kinds,
    );
    const patches = cluster.server.requests.filter(({ method }) => method === "PATCH");
    assert.deepEqual(
      [...new Set(patches.map(({ query }) => `${query.get("fieldManager")} ${query.get("fieldValidation")}`))],
      ["meshctl Strict"],
    );
  });

  test("survives connections that break off and a server that is busy", async () => {
    let cuts = 0;
    cluster.onRequest = (request) => {
      if (!isKeptApply(DEPLOYMENT)(request)) return;
      if (++cuts === 1) cluster.server.cutConnections();
      if (cuts === 2) cluster.server.failNext(new ApiFailure(429, "TooManyRequests", "too many requests", 1));
    };
    const result = await apply();
    assert.deepEqual([result.code, changes(result), cuts], [0, ["unchanged"], 3]);
  });

  test("waits for a slow server", async () => {
    cluster.onRequest = (request) => {
      if (!isKeptApply(DEPLOYMENT)(request)) return;
      cluster.server.hold();
      setTimeout(() => cluster.server.release(), 1500);
    };
    assert.equal((await apply()).code, 0);
  });

  test("tells everything that is forbidden at once, before anything is applied", async () => {
    cluster.server.forbids = ({ method, path }) => method === "PATCH" && /\/(deployments|clusterroles)\//.test(path);
    const { code, stdout, stderr } = await apply();
    assert.deepEqual([code, stdout, cluster.applied], [1, "", []]);
    assert.match(
      stderr,
      /^meshctl: the cluster refuses the installation; nothing was applied:\n {2}ClusterRole .*forbidden.*\n {2}Deployment .*forbidden/,
    );
    assert.match(stderr, /meshctl check --pre/);
  });

  test("names the fields that others manage and who, and takes them over when told to", async () => {
    const causes = [{ reason: "FieldManagerConflict", message: 'conflict with "kubectl-edit" using apps/v1', field: ".spec.replicas" }];
    const conflict = new ApiFailure(409, "Conflict", "Apply failed with 1 conflict", undefined, causes);
    cluster.fail((request) => isDryApply(DEPLOYMENT)(request) && request.query.get("force") !== "true", conflict);
    const { code, stdout, stderr } = await apply();
    assert.deepEqual([code, stdout, cluster.applied], [1, "", []]);
    assert.match(
      stderr,
      /nothing was applied:\n {2}Deployment mesh-system\/controller: \.spec\.replicas is managed by kubectl-edit\n.*--force-conflicts/,
    );
    assert.equal((await apply("--force-conflicts")).code, 0);
    const forced = cluster.server.requests.filter((each) => isKeptApply(DEPLOYMENT)(each)).map(({ query }) => query.get("force"));
    assert.deepEqual(forced, ["true"]);
  });

  test("says that other values are replaced", async () => {
    const { code, stderr } = await apply("--set", "controller.logLevel=debug", "--dry-run=server");
    assert.equal(code, 0);
    assert.match(stderr, /^the installation that is there was given other values; these replace them \(meshctl upgrade keeps them\)\n$/);
  });

  test("refuses a second installation beside the first", async () => {
    const { code, stderr } = await apply("--set", "namespace=other");
    assert.deepEqual([code, cluster.applied], [1, []]);
    assert.match(
      stderr,
      /belongs to the installation in namespace mesh-system; a cluster has one\n {2}install with --set namespace=mesh-system/,
    );
  });

  test("takes over the CRDs that a mesh in another namespace has left when it was uninstalled", async () => {
    const left = new InstalledCluster();
    await left.start();
    try {
      const crds = await left.meshctl("install", "--apply", "--crds");
      assert.deepEqual([crds.code, crds.stderr], [0, ""]);
      const elsewhere = await left.meshctl("install", "--apply", "--set", "namespace=other");
      assert.deepEqual([elsewhere.code, elsewhere.stderr], [0, "meshctl 0.1.0 is installed in namespace other\n"]);
      assert.match(elsewhere.stdout, /^customresourcedefinition\S+virtualservices\S+ configured$/m);
    } finally {
      await left.stop();
    }
  });

  test("refuses a namespace that is being deleted", async () => {
    const live = cluster.server.find(NAMESPACE)!;
    cluster.server.replace({ ...live, metadata: { ...live.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
    const { code, stderr } = await apply();
    const now = cluster.server.find(NAMESPACE)!;
    const { deletionTimestamp: _deletionTimestamp, ...metadata } = now.metadata;
    cluster.server.replace({ ...now, metadata });
    assert.deepEqual([code, cluster.applied], [1, []]);
    assert.match(stderr, /^meshctl: namespace mesh-system is being deleted\n {2}run the command again when it is gone\n$/);
  });

  test("refuses Kubernetes below 1.29, which printing only warns of", async () => {
    cluster.server.kubernetesVersion = "v1.28.3";
    const [applied, printed] = [await apply(), await cluster.meshctl("install")];
    cluster.server.kubernetesVersion = "v1.33.0";
    assert.deepEqual([applied.code, applied.stdout, cluster.applied], [1, "", []]);
    assert.match(applied.stderr, /^meshctl: the cluster runs Kubernetes 1\.28\.3; meshctl needs 1\.29 or newer\n/);
    assert.equal(printed.code, 0);
    assert.match(printed.stderr, /^warning: the cluster runs Kubernetes 1\.28\.3; meshctl needs 1\.29 or newer\n$/);
  });

  for (const [args, message] of [
    [["--apply", "--wait=soon"], '--wait wants a duration from 1s to 24h, not "soon"'],
    [["--wait"], "--wait goes with --apply"],
    [["--dry-run=server"], "--dry-run goes with --apply"],
    [["--force-conflicts"], "--force-conflicts goes with --apply"],
    [["--apply", "--wait", "--dry-run=server"], "--wait and --dry-run contradict each other"],
    [["--apply", "--offline"], "--apply and --offline contradict each other"],
  ] as const)
    test(`refuses ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await cluster.meshctl("install", ...args);
      assert.deepEqual([code, stdout], [64, ""]);
      assert.ok(stderr.startsWith(`meshctl: ${message}\n`), stderr);
    });
});

describe("meshctl install --apply --wait", () => {
  const replicas = (status: object): void => {
    const name = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "controller", namespace: "mesh-system" } };
    const live = cluster.server.find(name)!;
    cluster.server.replace({ ...live, ...name, status: { observedGeneration: 9, ...status } });
  };
  before(async () => {
    cluster = new InstalledCluster();
    await cluster.start();
    assert.equal((await apply()).code, 0);
  });
  after(() => cluster.stop());

  test("ends when the controller is ready, and tells how far it is in plain lines", async () => {
    replicas({ replicas: 1, updatedReplicas: 1, availableReplicas: 0 });
    let polls = 0;
    cluster.onRequest = ({ method, path }) => {
      if (method === "GET" && path === DEPLOYMENT && ++polls === 3) replicas({ replicas: 1, updatedReplicas: 1, availableReplicas: 1 });
    };
    const { code, stderr } = await apply("--wait");
    assert.equal(code, 0);
    assert.deepEqual(stderr.split("\n").slice(0, 3), [
      "Deployment mesh-system/controller: waiting until it is ready",
      "Deployment mesh-system/controller: 0 of 1 replicas are ready",
      "Deployment mesh-system/controller: 1 of 1 replicas are ready",
    ]);
  });

  test("tells which pod is not ready and why when time is up", async () => {
    replicas({ replicas: 1, updatedReplicas: 1, availableReplicas: 0 });
    const labels = { "app.kubernetes.io/name": "meshctl", "app.kubernetes.io/component": "controller" };
    const waiting = { reason: "ImagePullBackOff", message: "Back-off pulling image meshctl:0.1.0" };
    cluster.server.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "controller-1", namespace: "mesh-system", labels },
      status: { containerStatuses: [{ name: "controller", ready: false, restartCount: 0, state: { waiting } }] },
    });
    const { code, stderr } = await apply("--wait=1s");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^meshctl: Deployment mesh-system\/controller is not ready after 1 s: 0 of 1 replicas are ready\n {2}pod mesh-system\/controller-1\n {4}container controller: ImagePullBackOff: Back-off pulling image meshctl:0\.1\.0\n {2}everything is applied; /m,
    );
  });
});
