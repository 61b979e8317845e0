// What --apply and upgrade do about others: people who edit, kubectl's own apply, older versions, a broken CA. On a real API
// server, beside what a controller has made.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { parseYamlDocuments } from "../../src/common/yaml.ts";
import type { KubeObjects } from "../../src/kube/objects.ts";
import { eventually } from "../support/eventually.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import { playNamespace } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";
import type { MeshctlResult } from "../support/run-meshctl.ts";

const MESH = "mesh-system";
const DEPLOYMENT = { apiVersion: "apps/v1", kind: "Deployment", namespace: MESH, name: "controller" };
const VALUES = { apiVersion: "v1", kind: "ConfigMap", namespace: MESH, name: "meshctl-values" };
const SECRET = { apiVersion: "v1", kind: "Secret", namespace: MESH, name: "meshctl-ca" };
const ROOTS = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "meshctl-root-cert" };
const within = { withinMs: 30_000 };

describe("an installation that others touch, on a real API server", () => {
  let cluster: RealCluster;
  let objects: KubeObjects;
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    objects = cluster.objects();
    await playNamespace(objects, "shop");
  });
  after(async () => cluster?.stop());

  const meshctl = (...args: readonly string[]): Promise<MeshctlResult> => runMeshctl([...args, "--kubeconfig", cluster.kubeconfig]);
  const changes = (stdout: string): string[] => [...new Set([...stdout.matchAll(/^\S+ (.*)$/gm)].map((match) => match[1]!))].sort();
  async function applied(...args: readonly string[]): Promise<string[]> {
    const { code, stdout, stderr } = await meshctl(...args);
    assert.equal(code, 0, stderr);
    return changes(stdout);
  }
  function listed({ stdout }: MeshctlResult): string[] {
    const { documents } = parseYamlDocuments(stdout, "stdout");
    const found = documents.map(({ value }) => value as { kind: string; metadata: { name: string; namespace?: string } });
    return found.map(({ kind, metadata: { namespace = "<none>", name } }) => `${kind} ${namespace} ${name}`);
  }

  test("begins with a dry run that keeps nothing, and one apply that creates all", REAL, async () => {
    assert.deepEqual(await applied("install", "--apply", "--dry-run=server"), ["created (server dry run)"]);
    assert.equal(await objects.get(VALUES), undefined);
    assert.deepEqual(await applied("install", "--apply"), ["created"]);
    assert.deepEqual(await applied("install", "--apply"), ["unchanged"]);
    assert.deepEqual(await applied("install", "--apply", "--dry-run=server"), ["unchanged (server dry run)"]);
    const { stdout, stderr } = await meshctl("upgrade", "--diff");
    assert.deepEqual([stdout, stderr], ["", "nothing would change\n"]);
  });

  test("goes on beside a controller, whose own fields and objects stay as they are", REAL, async () => {
    const controller = new InstalledController(cluster);
    try {
      await controller.ready(await controller.start());
      await eventually(async () => assert.ok((await objects.get(ROOTS)) !== undefined), within);
      const webhook = {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "MutatingWebhookConfiguration",
        name: "meshctl-sidecar-injector",
      };
      const before = await objects.get(webhook);
      assert.match(JSON.stringify(before), /"caBundle":"\w/);
      assert.deepEqual(await applied("install", "--apply"), ["unchanged"]);
      assert.equal((await objects.get(webhook))?.metadata.resourceVersion, before?.metadata.resourceVersion);
      assert.deepEqual(listed(await meshctl("upgrade", "--prune")), []);
    } finally {
      await controller.stop();
    }
  });

  test("shows what an upgrade changes, makes it so, and keeps the values", REAL, async () => {
    const set = ["--set", "controller.logLevel=debug", "--set", "controller.replicas=2"];
    const { stdout } = await meshctl("upgrade", "--diff", ...set);
    assert.match(stdout, /^--- Deployment mesh-system\/controller \(in the cluster\)$/m);
    assert.match(stdout, /^- {2}replicas: 1\n\+ {2}replicas: 2$/m);
    assert.deepEqual(
      [...stdout.matchAll(/^[-+] +(- --log.*)$/gm)].map((match) => match[1]),
      ["- --log-level=info", "- --log-level=debug"],
    );
    assert.deepEqual(await applied("upgrade", "--apply", ...set), ["configured", "unchanged"]);
    assert.deepEqual(await applied("upgrade", "--apply"), ["unchanged"]);
    assert.match(JSON.stringify((await objects.get(VALUES))?.["data"]), /logLevel: debug.*replicas: 2/);
  });

  test("refuses to overwrite a field that somebody has edited, until it is told to", REAL, async () => {
    await cluster.kubectl(["-n", MESH, "set", "image", "deployment/controller", "controller=edited:1"]);
    const { code, stdout, stderr } = await meshctl("upgrade", "--apply");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /Deployment mesh-system\/controller: \.spec\.template\.spec\.containers\[name="controller"\]\.image is managed by kubectl-set/,
    );
    assert.deepEqual(await applied("upgrade", "--apply", "--force-conflicts"), ["configured", "unchanged"]);
    assert.doesNotMatch(JSON.stringify(await objects.get(DEPLOYMENT)), /edited:1/);
  });

  test("takes over what kubectl applied, and the fields that are left out now go", REAL, async () => {
    const { stdout: yaml } = await meshctl("install", "--set", "controller.nodeSelector={disk: ssd}");
    assert.equal((await cluster.kubectl(["apply", "-f", "-"], yaml)).code, 0);
    const { stdout } = await meshctl("install", "--apply", "--dry-run=server");
    assert.match(stdout, /^deployment\.apps\/controller configured \(server dry run\)$/m);
    await applied("install", "--apply");
    assert.doesNotMatch(JSON.stringify((await objects.get(DEPLOYMENT))?.["spec"]), /nodeSelector/);
    assert.deepEqual(await applied("install", "--apply"), ["unchanged"]);
  });

  test("lists what a profile has left behind, and nothing else", REAL, async () => {
    await applied("upgrade", "--apply", "--profile", "ha");
    await applied("upgrade", "--apply", "--profile", "default");
    const pruned = await meshctl("upgrade", "--prune");
    assert.deepEqual(listed(pruned), ["HorizontalPodAutoscaler mesh-system controller", "PodDisruptionBudget mesh-system controller"]);
    assert.equal((await cluster.kubectl(["delete", "-f", "-"], pruned.stdout)).code, 0);
    assert.equal((await meshctl("upgrade", "--prune")).stderr, "nothing to prune\n");
  });

  test("never goes back to an older version", REAL, async () => {
    await objects.mergePatch(VALUES, { data: { version: "99.0.0" } });
    const { code, stdout, stderr } = await meshctl("upgrade");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^meshctl: the cluster has meshctl 99\.0\.0, and this is \d.*: an upgrade never goes back\n/);
    await objects.mergePatch(VALUES, { data: { version: "0.0.1" } });
    assert.equal((await meshctl("upgrade")).code, 0);
  });

  test("refuses a broken trust chain: a root that a namespace doesn't trust, a key of another certificate", REAL, async () => {
    const roots = (await objects.get(ROOTS))?.["data"] as Record<string, string>;
    await objects.mergePatch(ROOTS, { data: { "root-cert.pem": "" } });
    assert.match((await meshctl("upgrade", "--apply")).stderr, /trust chain is broken.*is not in ConfigMap meshctl-root-cert of shop\n/);
    await objects.mergePatch(ROOTS, { data: roots });
    const secret = (await objects.get(SECRET))?.["data"] as Record<string, string>;
    await objects.mergePatch(SECRET, { data: { "ca-key.pem": Buffer.from("no key").toString("base64") } });
    assert.match((await meshctl("upgrade", "--apply")).stderr, /trust chain is broken, and nothing was changed: ca-key\.pem of Secret/);
    await objects.mergePatch(SECRET, { data: secret });
    assert.deepEqual(await applied("upgrade", "--apply", "--force-conflicts"), ["configured", "unchanged"]);
  });
});
