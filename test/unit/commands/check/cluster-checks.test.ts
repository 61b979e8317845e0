// The checks about the cluster itself: its version, its clocks, its CRDs, what this user may do.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clocks } from "../../../../src/commands/check/checks/clocks.ts";
import { customResources } from "../../../../src/commands/check/checks/custom-resources.ts";
import { kubernetesVersion } from "../../../../src/commands/check/checks/kubernetes-version.ts";
import { preInstall } from "../../../../src/commands/check/checks/pre-install.ts";
import type { ClusterState, CrdObject, ServerFacts } from "../../../../src/commands/check/cluster-state.ts";
import { grantCommand } from "../../../../src/commands/check/permission-text.ts";
import { findings, remedies } from "../../../support/check/find.ts";
import { crds, healthyState, lease, meshCertificates, namespace, node, NOW_MS } from "../../../support/check/healthy-mesh.ts";

const healthy = healthyState(await meshCertificates());
const facts: ServerFacts = { gitVersion: "v1.33.2", dateMs: NOW_MS, askedMs: NOW_MS, answeredMs: NOW_MS + 20 };
const withServer = (changes: Partial<ServerFacts>): ClusterState => ({ ...healthy, server: { value: { ...facts, ...changes } } });

describe("the version of Kubernetes", () => {
  test("is refused below 1.29 and taken from there on, whatever a provider appends", () => {
    for (const [gitVersion, isFine] of [
      ["v1.28.15", false],
      ["v1.29.0", true],
      ["v1.33.2-gke.1", true],
      ["v1.100.0", true],
      ["v2.0.0", true],
    ] as const)
      assert.equal(findings(kubernetesVersion, "is running the minimum", withServer({ gitVersion })).length === 0, isFine, gitVersion);
  });

  test("is looked at on each node, too: sidecars are the kubelet's work", () => {
    const state = { ...healthy, nodes: { value: [node("old", "v1.28.9"), node("new")] } };
    assert.deepEqual(findings(kubernetesVersion, "nodes run", state), [
      "error: node old runs kubelet v1.28.9, older than 1.29: meshed pods don't start on it",
    ]);
  });

  test("warns of kubelets that are newer than the API server, or too old for it", () => {
    const nodes = { value: [node("a", "v1.34.0"), node("b", "v1.30.0"), node("c", "v1.29.9")] };
    assert.deepEqual(findings(kubernetesVersion, "kubelets and", { ...healthy, nodes }), [
      "warning: kubelet v1.34.0 of node a is newer than the API server, v1.33.2",
      "warning: kubelet v1.29.9 of node c is more than 3 minor versions older than the API server, v1.33.2",
    ]);
  });
});

describe("clocks", () => {
  test("may differ by what a Date header and a slow answer can't tell apart", () => {
    for (const dateMs of [undefined, NOW_MS - 1000, NOW_MS - 30_000, NOW_MS + 30_000])
      assert.deepEqual(findings(clocks, "this machine", withServer({ dateMs })), []);
    // Asked, answered 40 s later: the server may have read its clock at either end.
    assert.deepEqual(
      findings(clocks, "this machine", withServer({ dateMs: NOW_MS, askedMs: NOW_MS - 5000, answeredMs: NOW_MS + 40_000 })),
      [],
    );
  });

  test("are compared with the API server's, in both directions", () => {
    assert.deepEqual(findings(clocks, "this machine", withServer({ dateMs: NOW_MS - 600_000 })), [
      "warning: this machine's clock is 10 min ahead of the API server's",
    ]);
    assert.deepEqual(findings(clocks, "this machine", withServer({ dateMs: NOW_MS + 3 * 3_600_000 })), [
      "warning: this machine's clock is 3 h behind the API server's",
    ]);
  });

  test("of nodes are errors where certificates would not be valid", () => {
    const nodes = { value: ["a", "b", "c", "d"].map((name) => node(name)) };
    const leases = { value: [lease("a", NOW_MS + 45_000), lease("b", NOW_MS - 600_000), lease("c", NOW_MS - 50_000), lease("d", NOW_MS)] };
    assert.deepEqual(findings(clocks, "nodes", { ...healthy, nodes, leases }), [
      "warning: node a's clock is 45 s ahead of the API server's",
      "error: node b's clock is at least 9 min behind the API server's; new certificates are not valid yet there",
    ]);
  });

  test("of nodes are measured by the API server's clock, not by this machine's, and only where the node is ready", () => {
    const leases = { value: [lease("node-1", NOW_MS + 3_600_000 - 5000)] };
    const state = { ...withServer({ dateMs: NOW_MS + 3_600_000 }), leases };
    assert.deepEqual(findings(clocks, "nodes", state), []);
    const lost = { ...node("node-1"), status: { conditions: [{ type: "Ready", status: "Unknown" }] } };
    assert.deepEqual(findings(clocks, "nodes", { ...healthy, nodes: { value: [lost] }, leases: { value: [lease("node-1", 0)] } }), []);
  });
});

describe("CustomResourceDefinitions", () => {
  const [first, ...others] = crds() as [CrdObject, ...CrdObject[]];
  const withFirst = (changed: CrdObject): ClusterState => ({ ...healthy, crds: { value: [changed, ...others] } });

  test("that are missing are named, with the command that installs them", () => {
    const state = { ...healthy, crds: { value: others } };
    assert.deepEqual(findings(customResources, "CustomResource", state), [`error: ${first.metadata.name} is not installed`]);
    assert.deepEqual(remedies(customResources, "CustomResource", state), ["meshctl install --crds | kubectl apply -f -"]);
  });

  test("are errors when no version that the mesh reads is served, warnings when one is missing", () => {
    const serving = (...names: string[]): CrdObject => ({
      ...first,
      spec: { ...first.spec, versions: names.map((name) => ({ name, served: true, storage: false })) },
    });
    const { name } = first.metadata;
    assert.deepEqual(findings(customResources, "they are served", withFirst(serving("v2"))), [
      `error: ${name} is served as v2, of which the mesh reads none`,
    ]);
    assert.deepEqual(findings(customResources, "they are served", withFirst(serving("v1", "v1beta1"))), [
      `warning: ${name} is not served as v1alpha3: objects of that version can't be applied`,
    ]);
  });

  test("count a version only where it is served", () => {
    const versions = first.spec.versions.map((each) => ({ ...each, served: each.name !== "v1beta1" }));
    assert.deepEqual(findings(customResources, "they are served", withFirst({ ...first, spec: { ...first.spec, versions } })), [
      `warning: ${first.metadata.name} is not served as v1beta1: objects of that version can't be applied`,
    ]);
  });

  test("that the API server doesn't serve are told with its reason", () => {
    const conditions = [{ type: "NamesAccepted", status: "False", message: '"vs" is already in use' }];
    assert.deepEqual(findings(customResources, "they are served", withFirst({ ...first, status: { conditions } })), [
      `error: ${first.metadata.name} is not served: "vs" is already in use`,
    ]);
  });

  test("of another mesh are warned of, before and after the installation", () => {
    const state = withFirst({ ...first, metadata: { ...first.metadata, labels: { app: "istiod" } } });
    assert.match(findings(customResources, "they are of", state).join(), /^warning: \S+ came with another mesh/);
    assert.match(findings(preInstall, "no CustomResource", state).join(), /^warning: \S+ is there, without our label/);
    assert.deepEqual(findings(preInstall, "no CustomResource", healthy), []);
  });
});

describe("before an installation", () => {
  test("an existing namespace is an error when it is ours, a warning when it is somebody else's", () => {
    assert.match(findings(preInstall, "control plane namespace", healthy).join(), /^error: meshctl is installed already/);
    const foreign = { ...healthy, namespaces: { value: [namespace("mesh-system")] } };
    assert.match(findings(preInstall, "control plane namespace", foreign).join(), /^warning: namespace mesh-system exists/);
    assert.deepEqual(findings(preInstall, "control plane namespace", { ...healthy, namespaces: { value: [] } }), []);
  });

  test("each permission that is lacking is named, where it belongs", () => {
    const create = { verb: "create", group: "apps", resource: "deployments", namespace: "mesh-system" };
    const watch = { verb: "watch", group: "", resource: "pods", namespace: undefined };
    const state: ClusterState = {
      ...healthy,
      permissions: {
        value: [
          { permission: create, purpose: "namespace", isAllowed: false },
          { permission: watch, purpose: "grant", isAllowed: false },
          { permission: { ...watch, verb: "list" }, purpose: "grant", isAllowed: true },
          { permission: { ...watch, verb: "get" }, purpose: "grant", isAllowed: false },
        ],
      },
    };
    assert.deepEqual(findings(preInstall, "can create the objects of the whole", state), []);
    assert.deepEqual(findings(preInstall, "can create the objects of the control", state), [
      "error: you may not create deployments.apps in namespace mesh-system",
    ]);
    assert.deepEqual(findings(preInstall, "can give", state), ["error: you may not watch, get pods in the whole cluster"]);
    assert.match(remedies(preInstall, "can give", state).join(), /^kubectl create clusterrolebinding \S+ --clusterrole=cluster-admin /);
  });
});

test("a permission that a check lacks is given by exactly one role, but never the CA's key", () => {
  const nodes = { verb: "list", group: "", resource: "nodes", namespace: undefined };
  assert.match(
    grantCommand(nodes),
    /^kubectl create clusterrole meshctl-check-list-nodes --verb=list --resource=nodes && kubectl create clusterrolebinding meshctl-check-list-nodes --clusterrole=meshctl-check-list-nodes --user=YOU /,
  );
  const forward = { verb: "create", group: "", resource: "pods/portforward", namespace: "mesh-system" };
  assert.match(
    grantCommand(forward),
    /^kubectl -n mesh-system create role meshctl-check-create-pods-portforward --verb=create --resource=pods\/portforward /,
  );
  assert.match(
    grantCommand({ ...forward, verb: "get,create" }),
    /create role meshctl-check-get-create-pods-portforward --verb=get,create /,
  );
  assert.match(grantCommand({ ...forward, resource: "secrets" }), /^meshctl check /);
});
