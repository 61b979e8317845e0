// `meshctl check` as a person runs it, against an API server double: all well, something wrong, nobody there.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { ApiServer } from "../../support/api-server/api-server.ts";
import { appPod, meshedPod, namespace, type MeshCertificates } from "../../support/check/healthy-mesh.ts";
import { INSTALLED_VERSION, meshInDouble, type MeshInDouble } from "../../support/check/mesh-in-double.ts";
import { runMeshctl, type MeshctlResult } from "../../support/run-meshctl.ts";

const GOLDEN = resolve(import.meta.dirname, "../../golden/check");
const folder = mkdtempSync(join(tmpdir(), "meshctl-check-"));
const kubeconfig = join(folder, "kubeconfig");
let mesh: MeshInDouble;
let certificates: MeshCertificates;

function check(...args: string[]): Promise<MeshctlResult> {
  return runMeshctl(["check", ...args], { env: { KUBECONFIG: kubeconfig } });
}

interface Report {
  readonly success: boolean;
  readonly categories: readonly {
    readonly categoryName: string;
    readonly checks: readonly {
      readonly description: string;
      readonly result: string;
      readonly error?: string;
      readonly remedies?: string[];
    }[];
  }[];
}

/** What isn't well, as `category: error`. */
function problems({ stdout }: MeshctlResult): string[] {
  const report = JSON.parse(stdout) as Report;
  return report.categories.flatMap(({ categoryName, checks }) =>
    checks.flatMap((each) => (each.result === "success" ? [] : [`${categoryName}: ${each.result}: ${each.error}`])),
  );
}

/** Compared with a file of test/golden/check; written there with UPDATE_GOLDEN=1. */
function assertGolden(name: string, text: string): void {
  const file = join(GOLDEN, name);
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, text);
  assert.equal(text, readFileSync(file, "utf8"));
}

describe("meshctl check", () => {
  before(async () => {
    mesh = await meshInDouble();
    certificates = mesh.certificates;
    writeFileSync(kubeconfig, mesh.server.kubeconfig());
  });
  beforeEach(async () => {
    await mesh.reset();
  });
  after(async () => {
    await mesh.stop();
    rmSync(folder, { recursive: true });
  });

  test("finds nothing wrong in a sound mesh, and exits with 0", async () => {
    mesh.create(meshedPod("web-1", {}, INSTALLED_VERSION));
    mesh.proxies = ["web-1.shop"];
    const { code, stdout, stderr } = await check("--proxy");
    assert.deepEqual([code, stderr], [0, ""]);
    assertGolden("sound.txt", stdout);
  });

  test("says what is wrong, why, and which command mends it; and exits with 1", async () => {
    mesh.create(
      appPod("web-1"),
      meshedPod("web-2", { containers: [{ name: "app", ports: [{ containerPort: 15001 }] }] }, INSTALLED_VERSION),
    );
    mesh.create(namespace("strict", { "istio-injection": "enabled", "pod-security.kubernetes.io/enforce": "baseline" }));
    mesh.create(namespace("odd", { "meshctl.io/inject": "maybe" }));
    const [table, json] = [await check("--proxy", "--wait", "0s"), await check("--proxy", "--wait", "0s", "-o", "json")];
    assert.deepEqual([table.code, json.code], [1, 1]);
    assertGolden("broken.txt", table.stdout);
    assertGolden("broken.json", json.stdout);
  });

  test("prints only problems with -o short", async () => {
    const well = await check("-o", "short");
    assert.deepEqual([well.code, well.stdout], [0, "Status check results are √\n"]);
    mesh.create(namespace("odd", { "meshctl.io/inject": "maybe" }));
    const warned = await check("-o", "short");
    assert.equal(warned.code, 0, "warnings alone are a success");
    assert.match(warned.stdout, /^meshed-namespaces\n-{17}\n‼ labels and annotations .*\n( {4}.*\n)+\nStatus check results are √\n$/);
  });

  test("waits for what may pass by itself, and no longer than told", async () => {
    mesh.create(meshedPod("web-1", {}, INSTALLED_VERSION));
    // What the sidecar does in the meantime.
    let looks = 0;
    mesh.onSyncz = () => void (++looks === 2 && (mesh.proxies = ["web-1.shop"]));
    const { code, stderr } = await check("--proxy", "-o", "short");
    assert.equal(code, 0, stderr);
    assert.equal(looks, 2);
    assert.match(stderr, /^waiting: pod web-1\.shop runs a sidecar that no replica of the control plane knows\n$/);
  });

  test("checks before an installation what may be created, and that its place is free", async () => {
    mesh.server.reviews.set("SelfSubjectAccessReview", (spec) => {
      const { verb, resource } = spec["resourceAttributes"] as { verb: string; resource: string };
      return { allowed: verb !== "*" && verb !== "escalate" && resource !== "clusterroles" && resource !== "pods" };
    });
    const result = await check("--pre", "-o", "json");
    assert.equal(result.code, 1);
    const found = problems(result);
    assert.match(found[0] ?? "", /^pre-kubernetes-setup: error: meshctl is installed already/);
    assert.ok(
      found.some((each) => each.includes("you may not get, create, patch clusterroles.rbac.authorization.k8s.io in the whole cluster")),
    );
    assert.ok(found.some((each) => each.includes("you may not list, watch pods in the whole cluster")));
    assert.ok(!found.some((each) => each.includes("deployments")));
  });

  test("says of a control plane that isn't there how to install it, and looks no further", async () => {
    mesh.deleteController();
    const result = await check("-o", "json");
    assert.equal(result.code, 1);
    assert.deepEqual(problems(result), ["control-plane: error: there is no Deployment controller in namespace mesh-system"]);
    assert.equal((JSON.parse(result.stdout) as Report).categories.at(-1)?.categoryName, "control-plane");
  });

  test("names the permission that is missing, and goes on with the rest", async () => {
    mesh.server.forbids = ({ path }) => path.endsWith("/nodes") || path.includes("/secrets/") || path.endsWith("/portforward");
    const result = await check("-o", "json");
    assert.equal(result.code, 0);
    const found = problems(result).join("\n");
    assert.match(found, /^kubernetes-version: warning: could not be checked: you lack the permission to list nodes in the whole cluster$/m);
    assert.match(found, /^identity: warning: could not be checked: you lack the permission to get secrets in namespace mesh-system$/m);
    assert.match(found, /^control-plane: warning: .*you lack the permission to get,create pods\/portforward in namespace mesh-system$/m);
  });

  test("sees that the webhook shows another CA's certificate than the caBundle has", async () => {
    const { meshCertificates } = await import("../../support/check/healthy-mesh.ts");
    mesh.setCaBundle((await meshCertificates(Date.now())).roots);
    const found = problems(await check("-o", "json", "--wait", "0s")).join("\n");
    assert.match(found, /^webhooks: error: .*its caBundle lacks the mesh's root certificate/m);
    assert.match(found, /^webhooks: error: .*shows a certificate that the caBundle does not verify$/m);
    mesh.setCaBundle(certificates.roots);
  });

  test("stops at an API server that can't be reached, with one error and no waiting", async () => {
    const closed = new ApiServer();
    await closed.start();
    const gone = join(folder, "gone");
    writeFileSync(gone, closed.kubeconfig());
    const { url } = closed;
    await closed.stop();
    const result = await check("--kubeconfig", gone, "-o", "json");
    assert.deepEqual([result.code, problems(result)], [1, [`kubernetes-api: error: the API server at ${url}: nothing listens there`]]);
    const none = await check("--context", "none");
    assert.equal(none.code, 1);
    assert.match(none.stdout, /^kubernetes-api\n-+\n× can initialize the client\n {4}no context "none" in /);
    assert.match(none.stdout, /fix: kubectl config get-contexts\n\nStatus check results are ×\n$/);
  });

  test("acts as the user that --as names", async () => {
    await check("--as", "jane", "-o", "short");
    assert.ok(mesh.server.requests.length > 10);
    assert.deepEqual([...new Set(mesh.server.requests.map((each) => each.as))], ["jane"]);
  });

  test("refuses flags that mean nothing together", async () => {
    for (const args of [
      ["--pre", "--proxy"],
      ["-n", "shop"],
    ]) {
      const { code, stdout, stderr } = await check(...args);
      assert.deepEqual([code, stdout], [64, ""], args.join(" "));
      assert.match(stderr, /^meshctl: --/);
    }
  });
});
