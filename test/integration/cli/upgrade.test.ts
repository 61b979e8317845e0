// `meshctl upgrade` as a person runs it: with the values that the cluster keeps, and what it refuses.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { newAuthorityParts } from "../../../src/ca/authority/authority-layout.ts";
import { parseYamlDocuments } from "../../../src/common/yaml.ts";
import type { KubeObject } from "../../../src/manifests/kube-objects.ts";
import { InstalledCluster } from "../../support/api-server/installed-cluster.ts";
import { runMeshctl } from "../../support/run-meshctl.ts";
import type { MeshctlResult } from "../../support/run-meshctl.ts";

const LABELS = { "meshctl.io/installation": "mesh-system" };
const cluster = new InstalledCluster();
const { server } = cluster;

const upgrade = (...args: readonly string[]): Promise<MeshctlResult> => cluster.meshctl("upgrade", ...args);

function configMap(name: string, namespace: string, data: Readonly<Record<string, string>>): Record<string, unknown> {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels: LABELS }, data };
}
const values = (data: Readonly<Record<string, string>>): Record<string, unknown> => configMap("meshctl-values", "mesh-system", data);

function printed({ stdout }: MeshctlResult, kind: string): KubeObject | undefined {
  return parseYamlDocuments(stdout, "stdout")
    .documents.map(({ value }) => value as KubeObject)
    .find((each) => each.kind === kind);
}

describe("meshctl upgrade", () => {
  before(() => cluster.start());
  beforeEach(() => cluster.forget());
  after(() => cluster.stop());

  test("says that there is no installation", async () => {
    const { code, stdout, stderr } = await upgrade();
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^meshctl: no installation in the cluster of context double: .*\n {2}meshctl install makes one; /);
    server.create(values({}));
  });

  test("prints what install prints with the values that the cluster keeps, and those given now over them", async () => {
    server.replace(values({ "values.yaml": "image: meshctl:mine\ncontroller:\n  replicas: 2\n", version: "0.0.9" }));
    const result = await upgrade("--set", "controller.replicas=3");
    assert.deepEqual(
      [result.code, result.stderr],
      [0, "the image stays meshctl:mine, as the cluster's values say; --set image=… gives that of 0.1.0\n"],
    );
    const same = await runMeshctl(["install", "--offline", "--set", "image=meshctl:mine", "--set", "controller.replicas=3"]);
    assert.equal(result.stdout, same.stdout);
    assert.deepEqual(cluster.applied, []);
  });

  test("refuses a downgrade, and doesn't mind a version that it can't read", async () => {
    server.replace(values({ "values.yaml": "", version: "0.2.0" }));
    const { code, stdout, stderr } = await upgrade();
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^meshctl: the cluster has meshctl 0\.2\.0, and this is 0\.1\.0: an upgrade never goes back\n/);
    server.replace(values({ "values.yaml": "", version: "dev" }));
    assert.equal((await upgrade()).code, 0);
  });

  test("refuses values that were edited into nonsense, with their place, and a move", async () => {
    server.replace(values({ "values.yaml": "controller: {replica: 2}\n" }));
    const nonsense = await upgrade();
    assert.equal(nonsense.code, 1);
    assert.match(
      nonsense.stderr,
      /ConfigMap mesh-system\/meshctl-values, values\.yaml:1:14: controller\.replica: there is no such value; did you mean/,
    );
    server.replace(values({ "values.yaml": "" }));
    assert.match((await upgrade("--set", "namespace=other")).stderr, /is in namespace mesh-system, and can't move to other\n/);
  });

  test("refuses a CA whose root some namespace doesn't trust, whose key is another's, or that has expired", async () => {
    const now = Date.now();
    const [parts, others, expired] = await Promise.all([now, now, now - 4000 * 24 * 3_600_000].map((ms) => newAuthorityParts("x", ms)));
    const secret = (of: Readonly<Record<string, string>>): Record<string, unknown> => ({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "meshctl-ca", namespace: "mesh-system", labels: LABELS },
      data: Object.fromEntries(Object.entries(of).map(([name, pem]) => [name, Buffer.from(pem).toString("base64")])),
    });
    const bundle = (of: Readonly<Record<string, string>>): Record<string, unknown> =>
      configMap("meshctl-root-cert", "shop", { "root-cert.pem": of["root-cert.pem"]! });
    server.create(secret(parts!));
    server.create(bundle(others!));
    const cases: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [parts!, /the root of Secret mesh-system\/meshctl-ca is not in ConfigMap meshctl-root-cert of shop\n/],
      [{ ...parts!, "ca-key.pem": others!["ca-key.pem"]! }, /ca-key\.pem of Secret .* is not the private key of ca-cert\.pem/],
      [expired!, /ca-cert\.pem of Secret .* expired/],
    ];
    for (const [data, message] of cases) {
      server.replace(secret(data));
      const { code, stdout, stderr } = await upgrade("--apply");
      assert.deepEqual([code, stdout, cluster.applied], [1, "", []]);
      assert.match(stderr, /^meshctl: the trust chain is broken, and nothing was changed: /);
      assert.match(stderr, message);
    }
    server.delete(secret(parts!));
    const gone = await upgrade();
    assert.deepEqual([gone.code, gone.stdout], [1, ""]);
    assert.match(gone.stderr, /Secret mesh-system\/meshctl-ca is gone, and the next controller would make a new CA/);
    server.create(secret(parts!));
    server.replace({ ...bundle(others!), data: { "root-cert.pem": others!["root-cert.pem"]! + parts!["root-cert.pem"]! } });
    assert.equal((await upgrade()).code, 0);
  });

  test("applies, and shows and prunes what differs", async () => {
    const applied = await upgrade("--apply", "--profile", "ha");
    assert.deepEqual([applied.code, applied.stderr], [0, "upgraded mesh-system from an unknown version to 0.1.0\n"]);
    const diff = await upgrade("--diff", "--profile", "default");
    assert.equal(diff.code, 0);
    assert.match(
      diff.stdout,
      /^--- ConfigMap mesh-system\/meshctl-values \(in the cluster\)\n\+\+\+ ConfigMap mesh-system\/meshctl-values \(meshctl 0\.1\.0\)\n@@/m,
    );
    assert.match(diff.stdout, /^- {4}profile: ha\n\+ {4}profile: default$/m);
    const pruned = await upgrade("--prune", "--profile", "default");
    assert.deepEqual(
      [pruned.code, pruned.stdout.match(/^kind: .*$/gm)],
      [0, ["kind: HorizontalPodAutoscaler", "kind: PodDisruptionBudget"]],
    );
    assert.equal(printed(pruned, "PodDisruptionBudget")?.metadata.namespace, "mesh-system");
    const nothing = await upgrade("--prune");
    assert.deepEqual([nothing.stdout, nothing.stderr], ["", "nothing to prune\n"]);
    assert.deepEqual([(await upgrade("--diff")).stdout, (await upgrade("--diff")).stderr], ["", "nothing would change\n"]);
  });

  test("says what it may not read", async () => {
    server.forbids = ({ path }) => path.includes("/secrets/");
    const { code, stderr } = await upgrade();
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^meshctl: can't check the trust chain in Secret mesh-system\/meshctl-ca: .*forbidden.*\n {2}act as somebody who may/,
    );
  });

  test("says that no cluster answers", async () => {
    const config = join(cluster.folder, "gone");
    writeFileSync(config, server.kubeconfig().replaceAll(server.url, "https://127.0.0.1:2"));
    const { code, stderr } = await upgrade("--kubeconfig", config);
    assert.equal(code, 1);
    assert.match(stderr, /^meshctl: can't reach the API server at https:\/\/127\.0\.0\.1:2: nothing listens there\n/);
  });

  test("refuses two things to do at once", async () => {
    const { code, stderr } = await upgrade("--diff", "--prune");
    assert.deepEqual([code, stderr.split("\n")[0]], [64, "meshctl: --diff and --prune are two different things to do"]);
  });
});
