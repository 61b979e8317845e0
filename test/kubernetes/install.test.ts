// `meshctl install | kubectl apply -f -` on a real API server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { KubeObjects } from "../../src/kube/objects.ts";
import type { PodSpec } from "../../src/manifests/kube-objects.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";

const NAMESPACE = "mesh-system";
/** kubectl always says so: this kind's selector is replaced whole by its patch strategy, so that no patch is ever empty. */
const BUDGET = "poddisruptionbudget.policy/controller configured";

describe("meshctl install on a real API server", () => {
  let cluster: RealCluster;
  let objects: KubeObjects;
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    objects = cluster.objects();
  });
  after(async () => cluster?.stop());

  async function install(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runMeshctl(["install", "--kubeconfig", cluster.kubeconfig, ...args]);
    assert.deepEqual([code, stderr], [0, ""]);
    return stdout;
  }
  /** What kubectl says of each object, such as `namespace/mesh-system created`. */
  async function apply(yaml: string, ...args: readonly string[]): Promise<string[]> {
    const { code, stdout, stderr } = await cluster.kubectl(["apply", "--validate=strict", ...args, "-f", "-"], yaml);
    assert.deepEqual([code, stderr], [0, ""]);
    return stdout.trimEnd().split("\n");
  }
  /** Of what kubectl always calls configured. */
  async function budgetVersions(): Promise<(string | undefined)[]> {
    const kind = { apiVersion: "policy/v1", kind: "PodDisruptionBudget" };
    const found = await objects.list(kind, { namespace: NAMESPACE });
    return (found ?? []).map((each) => each.metadata.resourceVersion);
  }

  test("prints what one kubectl apply creates, in order, without a warning and without unknown fields", REAL, async () => {
    const yaml = await install();
    const lines = await apply(yaml);
    assert.equal(lines.length, yaml.match(/^---$/gm)?.length);
    assert.deepEqual(
      lines.filter((each) => !each.endsWith(" created")),
      [],
    );
  });

  for (const profile of ["default", "ha", "minimal"]) {
    test(`applied twice with profile ${profile}, the second time changes nothing`, REAL, async () => {
      const yaml = await install("--profile", profile);
      await apply(yaml);
      const before = await budgetVersions();
      const lines = await apply(yaml);
      assert.deepEqual(
        lines.filter((each) => !each.endsWith(" unchanged") && each !== BUDGET),
        [],
      );
      assert.deepEqual(await budgetVersions(), before);
    });
  }

  test("is found whole by its label", REAL, async () => {
    const printed = (await apply(await install())).map((each) => each.split(" ")[0]).sort();
    const kinds = [...new Set(printed.map((each) => each?.split("/")[0]))].join(",");
    const selector = `meshctl.io/installation=${NAMESPACE}`;
    const { stdout } = await cluster.kubectl(["get", kinds, "--all-namespaces", "-l", selector, "-o", "name"]);
    const found = stdout.trimEnd().split("\n");
    for (const each of printed) assert.ok(found.includes(each ?? ""), `${each} is not among ${found.join(", ")}`);
  });

  test("makes pods of the control plane that Pod Security lets into a restricted namespace", REAL, async () => {
    await apply(await install());
    const deployment = await objects.get({ apiVersion: "apps/v1", kind: "Deployment", namespace: NAMESPACE, name: "controller" });
    const { template } = deployment?.["spec"] as { template: { metadata: object; spec: PodSpec } };
    const pod = { apiVersion: "v1", kind: "Pod", ...template, metadata: { ...template.metadata, name: "trial", namespace: NAMESPACE } };
    await objects.create(pod, { dryRun: true, fieldValidation: "Strict" });
    const open = { ...pod, spec: { ...template.spec, hostNetwork: true } };
    await assert.rejects(objects.create(open, { dryRun: true }), /violates PodSecurity "restricted/);
  });

  test("leaves out CRDs that somebody else has installed, and they stay theirs", REAL, async () => {
    const name = "virtualservices.networking.istio.io";
    const label = ["label", "crd", name, "--overwrite"];
    await cluster.kubectl([...label, "meshctl.io/installation-", "app=istiod"]);
    const { stdout, stderr } = await runMeshctl(["install", "--kubeconfig", cluster.kubeconfig]);
    assert.equal(stderr, `left out, because the cluster has them from elsewhere: ${name}\n`);
    assert.ok(!stdout.includes(`name: ${name}`));
    await cluster.kubectl([...label, "app-", `meshctl.io/installation=${NAMESPACE}`]);
  });
});
