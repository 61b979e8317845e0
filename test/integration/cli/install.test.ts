// `meshctl install` as a person runs it: with a cluster, without one, and with mistakes.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { parseYamlDocuments } from "../../../src/common/yaml.ts";
import type { KubeObject } from "../../../src/manifests/kube-objects.ts";
import { ApiServer } from "../../support/api-server/api-server.ts";
import { runMeshctl } from "../../support/run-meshctl.ts";
import type { MeshctlResult } from "../../support/run-meshctl.ts";

const OURS = ["virtualservices.networking.istio.io", "destinationrules.networking.istio.io", "peerauthentications.security.istio.io"];
const folder = mkdtempSync(join(tmpdir(), "meshctl-install-"));
const kubeconfig = join(folder, "kubeconfig");
let server: ApiServer;

function install(args: readonly string[], config: string = kubeconfig, input?: string): Promise<MeshctlResult> {
  return runMeshctl(["install", ...args], { env: { KUBECONFIG: config }, ...(input === undefined ? {} : { input }) });
}

function printed({ stdout }: MeshctlResult, kind?: string): string[] {
  const { documents, problems } = parseYamlDocuments(stdout, "stdout");
  assert.deepEqual(problems, []);
  return documents
    .map((each) => each.value as KubeObject)
    .filter((each) => kind === undefined || each.kind === kind)
    .map((each) => each.metadata.name ?? "");
}

function crd(name: string, labels: Readonly<Record<string, string>>): Record<string, unknown> {
  return { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name, labels } };
}

describe("meshctl install", () => {
  before(async () => {
    server = new ApiServer();
    await server.start();
    writeFileSync(kubeconfig, server.kubeconfig());
    server.create(crd(OURS[0] ?? "", { app: "istiod" }));
    server.create(crd(OURS[1] ?? "", { "meshctl.io/installation": "mesh-system" }));
  });
  beforeEach(() => void server.requests.splice(0));
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  test("leaves out CRDs that the cluster has from elsewhere and names them, and prints its own again", async () => {
    const result = await install([]);
    assert.deepEqual([result.code, result.stderr], [0, `left out, because the cluster has them from elsewhere: ${OURS[0]}\n`]);
    assert.deepEqual(printed(result, "CustomResourceDefinition"), OURS.slice(1));
    assert.equal(printed(result)[2], "mesh-system");
  });

  test("warns of an installation in another namespace that applying it would break", async () => {
    const { code, stderr } = await install(["--set", "namespace=other"]);
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^warning: the cluster has .* of an installation in namespace mesh-system; if it still runs, applying this breaks it$/m,
    );
  });

  test("asks nobody with --offline, nor where no CRD is printed", async () => {
    const [offline, skipped] = [await install(["--offline"]), await install(["--skip-crds"])];
    assert.deepEqual([offline.code, offline.stderr, skipped.code, skipped.stderr], [0, "", 0, ""]);
    assert.deepEqual(server.requests, []);
    assert.deepEqual(printed(offline, "CustomResourceDefinition"), OURS);
    assert.equal(printed(skipped, "CustomResourceDefinition").length, 0);
    assert.ok(offline.stdout.endsWith(skipped.stdout));
  });

  test("prints only CRDs with --crds", async () => {
    assert.deepEqual(printed(await install(["--crds", "--offline"])), OURS);
  });

  test("prints all and says why where there is no cluster", async () => {
    const result = await install(["--crds"], join(folder, "none"));
    assert.deepEqual(printed(result), OURS);
    assert.match(result.stderr, /^no cluster was asked for .*, all are printed: no kubeconfig: \S+none is not there\n$/);
  });

  test("waits two seconds for a cluster that doesn't answer, then prints all", async () => {
    const silent = createServer();
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const config = join(folder, "silent");
    writeFileSync(config, server.kubeconfig().replaceAll(server.url, `https://127.0.0.1:${port}`));
    const startMs = performance.now();
    const result = await install(["--crds"], config);
    // Before undici would give a connection up that is being opened: 10 s.
    assert.ok(performance.now() - startMs < 9_000);
    silent.close();
    assert.equal(result.code, 0);
    assert.deepEqual(printed(result), OURS);
    assert.match(result.stderr, /all are printed: the API server at https:\/\/127\.0\.0\.1:\d+: no answer within 2 s\n$/);
  });

  test("prints all and says why where it may not ask", async () => {
    server.tokens = new Set(["another"]);
    const result = await install(["--crds"]);
    server.tokens = undefined;
    assert.deepEqual([result.code, printed(result)], [0, OURS]);
    assert.match(result.stderr, /^no cluster was asked for .*Unauthorized/);
  });

  test("refuses a kubeconfig or context that was named and isn't there", async () => {
    for (const args of [
      ["--kubeconfig", join(folder, "none")],
      ["--context", "none"],
    ]) {
      const { code, stdout, stderr } = await install(args);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /^meshctl: (can't read the kubeconfig \S+none: no such file|no context "none" in)/);
    }
  });

  test("prints the same with values from standard input as with --set", async () => {
    const piped = await install(["--offline", "-f", "-"], kubeconfig, "profile: ha\ntrustDomain: example.org\n");
    const set = await install(["--offline", "--profile", "ha", "--set", "trustDomain=example.org"]);
    assert.equal(piped.code, 0);
    assert.equal(piped.stdout, set.stdout);
  });

  test("tells every problem of every file and setting at once, and prints nothing", async () => {
    const file = join(folder, "values.yaml");
    writeFileSync(file, "image: 5\nnamespac: mesh\n");
    const { code, stdout, stderr } = await install(["--offline", "-f", file, "-f", join(folder, "gone.yaml"), "--set", "replicas=x"]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(
      stderr,
      [
        "meshctl: 4 problems with the values:",
        `  ${file}:1:1: image: must be a text, in quotes where YAML reads something else`,
        `  ${file}:2:1: namespac: there is no such value; did you mean namespace?`,
        `  can't read ${join(folder, "gone.yaml")}: no such file`,
        "  --set replicas=x: there is no such value; did you mean controller.replicas?",
        "  docs/install.md lists every value",
        "",
      ].join("\n"),
    );
  });

  for (const [args, message] of [
    [["--crds", "--skip-crds"], "--crds and --skip-crds together print nothing"],
    [["-f", "-", "-f", "-"], "-f - is given twice"],
  ] as const) {
    test(`refuses ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await install(["--offline", ...args]);
      assert.deepEqual([code, stdout], [64, ""]);
      assert.ok(stderr.startsWith(`meshctl: ${message}\n`), stderr);
    });
  }

  test("knows its profiles", async () => {
    const { code, stderr } = await install(["--profile", "high"]);
    assert.equal(code, 64);
    assert.match(stderr, /Allowed choices are default, ha, minimal/);
  });
});
