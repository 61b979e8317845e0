// `meshctl uninstall` as a person runs it: what it lists, in which order, what it keeps and refuses.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { parseYamlDocuments } from "../../../src/common/yaml.ts";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { InstalledCluster } from "../../support/api-server/installed-cluster.ts";
import type { MeshctlResult } from "../../support/run-meshctl.ts";

const LABELS = { "meshctl.io/installation": "mesh-system" };
const cluster = new InstalledCluster();
const { server } = cluster;

const uninstall = (...args: readonly string[]): Promise<MeshctlResult> => cluster.meshctl("uninstall", ...args);

function listed({ stdout }: MeshctlResult): string[] {
  const found = parseYamlDocuments(stdout, "stdout").documents.map(
    ({ value }) => value as { kind: string; metadata: { name: string; namespace?: string } },
  );
  return found.map(({ kind, metadata: { name, namespace } }) => `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`);
}

const ours = (apiVersion: string, kind: string, name: string, namespace?: string): Record<string, unknown> => ({
  apiVersion,
  kind,
  metadata: { name, labels: LABELS, ...(namespace === undefined ? {} : { namespace }) },
});

function pod(name: string, phase: string, annotations: Readonly<Record<string, string>>): Record<string, unknown> {
  const metadata = { name, namespace: "shop", labels: { "security.istio.io/tlsMode": "istio" }, annotations };
  return { apiVersion: "v1", kind: "Pod", metadata, status: { phase } };
}

describe("meshctl uninstall", () => {
  before(() => cluster.start());
  beforeEach(() => cluster.forget());
  after(() => cluster.stop());

  test("says that there is nothing of meshctl's", async () => {
    server.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "meshctl-root-cert", namespace: "elsewhere" } });
    const { code, stdout, stderr } = await uninstall();
    assert.deepEqual([code, stdout, stderr], [0, "", "nothing of meshctl's to delete in the cluster of context double\n"]);
  });

  test("lists every object, those that the controller made too, in an order that can't block", async () => {
    assert.equal((await cluster.meshctl("install", "--apply", "--profile", "ha")).code, 0);
    for (const each of [
      ours("v1", "Secret", "meshctl-ca", "mesh-system"),
      ours("v1", "ConfigMap", "meshctl-root-cert", "shop"),
      ours("v1", "ConfigMap", "meshctl-root-cert", "default"),
      ours("coordination.k8s.io/v1", "Lease", "meshctl-controller", "mesh-system"),
    ])
      server.create(each);
    const result = await uninstall();
    const names = listed(result);
    assert.deepEqual(
      [result.code, result.stderr],
      [0, "3 CustomResourceDefinitions stay, and every object of theirs (--crds deletes them, too)\n"],
    );
    assert.match(names[0] ?? "", /WebhookConfiguration/);
    assert.equal(names.at(-1), "Namespace mesh-system");
    for (const each of ["Secret mesh-system/meshctl-ca", "ConfigMap shop/meshctl-root-cert", "ConfigMap default/meshctl-root-cert"])
      assert.ok(names.indexOf(each) > names.indexOf("ClusterRoleBinding meshctl-controller"), each);
    for (const each of ["HorizontalPodAutoscaler mesh-system/controller", "Lease mesh-system/meshctl-controller"])
      assert.ok(names.includes(each), each);
    assert.ok(!result.stdout.includes("elsewhere"));
    assert.equal(
      server.requests.some(({ method }) => method === "DELETE"),
      false,
    );
  });

  test("says that a CA which somebody has brought goes with the namespace", async () => {
    const secret = ours("v1", "Secret", "meshctl-ca", "mesh-system");
    const { labels: _labels, ...metadata } = secret["metadata"] as Record<string, unknown>;
    server.replace({ ...secret, metadata });
    const { stderr, stdout } = await uninstall();
    server.replace(secret);
    assert.match(stderr, /^Secret mesh-system\/meshctl-ca is not meshctl's, but goes with its namespace: keep a copy of that CA$/m);
    assert.doesNotMatch(stdout, /kind: Secret/);
  });

  test("asks for the kinds that there are, each narrowed down by the label, and for no others", async () => {
    await uninstall();
    const lists = server.requests.filter(({ query }) => query.has("limit") && query.get("limit") !== "1");
    assert.deepEqual([...new Set(lists.map(({ query }) => query.get("labelSelector")))].sort(), [
      "meshctl.io/installation",
      "security.istio.io/tlsMode",
    ]);
  });

  test("counts the objects that go with CRDs", async () => {
    for (const name of ["a", "b"])
      server.create({ apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata: { name, namespace: "shop" }, spec: {} });
    const result = await uninstall("--crds");
    assert.match(result.stderr, /^CustomResourceDefinition VirtualService: 2 objects go with it$/m);
    assert.match(result.stderr, /^CustomResourceDefinition DestinationRule: 0 objects go with it$/m);
    assert.equal(listed(result).filter((each) => each.startsWith("CustomResourceDefinition ")).length, 3);
  });

  test("keeps the namespace of the control plane while policies of users are in it", async () => {
    const policy = {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name: "default", namespace: "mesh-system" },
    };
    server.create(policy);
    const kept = await uninstall();
    assert.match(
      kept.stderr,
      /^namespace mesh-system stays, because objects of yours are in it: 1 PeerAuthentication; kubectl delete namespace/m,
    );
    assert.ok(!listed(kept).includes("Namespace mesh-system"));
    assert.ok(listed(await uninstall("--crds")).includes("Namespace mesh-system"));
    server.delete(policy);
  });

  test("refuses while pods with sidecars run, names them, and lets itself be forced", async () => {
    const annotations = { "meshctl.io/injected": "{}" };
    for (const each of [
      pod("checkout-2", "Running", annotations),
      pod("checkout-1", "Pending", annotations),
      pod("done", "Succeeded", annotations),
      pod("of-istio", "Running", {}),
    ])
      server.create(each);
    const { code, stdout, stderr } = await uninstall();
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /^meshctl: 2 pods still have sidecars, which need the control plane:\n {2}shop\/checkout-1\n {2}shop\/checkout-2\n {2}take /,
    );
    const forced = await uninstall("--force");
    assert.equal(forced.code, 0);
    assert.match(forced.stderr, /^2 pods with sidecars will be without a control plane$/m);
    assert.ok(listed(forced).length > 10);
  });

  test("prints nothing when it can't see everything", async () => {
    server.forbids = ({ path }) => path.endsWith("/secrets");
    const forbidden = await uninstall("--force");
    assert.deepEqual([forbidden.code, forbidden.stdout], [1, ""]);
    assert.match(forbidden.stderr, /^meshctl: can't list Secret objects of all namespaces: .*forbidden/);
    cluster.forget();
    cluster.fail(({ path }) => path.endsWith("/leases"), new ApiFailure(500, "InternalError", "etcd is away"));
    const failed = await uninstall("--force");
    assert.deepEqual([failed.code, failed.stdout], [1, ""]);
    assert.match(failed.stderr, /can't list Lease objects of all namespaces: the API server at \S+ says: etcd is away/);
  });

  test("survives connections that break off", async () => {
    let isCut = false;
    cluster.onRequest = ({ path }) => {
      if (isCut || !path.endsWith("/configmaps")) return;
      isCut = true;
      server.cutConnections();
    };
    const { code } = await uninstall("--force");
    assert.deepEqual([code, isCut], [0, true]);
  });
});
