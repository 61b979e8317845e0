// `meshctl inject` and `meshctl uninject` as whole programs.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { parseYamlDocuments } from "../../../src/common/yaml.ts";
import { selfSigned } from "../../support/openssl.ts";
import { runMeshctl } from "../../support/run-meshctl.ts";
import type { MeshctlResult } from "../../support/run-meshctl.ts";

const POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a} # mine\nspec:\n  containers:\n    - name: web\n";

describe("meshctl inject", () => {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-inject-"));
  after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "pod.yaml");
  writeFileSync(file, POD);

  test("prints the meshed manifest for kubectl, and the report for people; uninject gives it back", async () => {
    const injected = await runMeshctl(["inject", file]);
    assert.equal(injected.code, 0, injected.stderr);
    assert.match(injected.stdout, /- name: meshctl-proxy/);
    assert.equal(injected.stderr, `${file}:1: Pod a: injected\n1 injected, 0 skipped, 0 without pods left as they are\n`);
    const back = await runMeshctl(["uninject", "-"], { input: injected.stdout });
    assert.equal(back.stdout, POD);
    assert.equal(back.stderr, "standard input:1: Pod a: uninjected\n1 uninjected, 0 skipped, 0 without pods left as they are\n");
  });

  test("takes what the flags say into the sidecar", async () => {
    const args = ["--image", "registry/meshctl:9", "-n", "shop", "--trust-domain", "example.org", "--no-dns-capture", "--plain-sidecar"];
    const { stdout } = await runMeshctl(["inject", "-f", file, ...args, "--discovery-address", "control.mesh:15012"]);
    for (const text of ["image: registry/meshctl:9", "namespaces/shop/pods/a", "value: example.org", "value: control.mesh:15012"])
      assert.ok(stdout.includes(text), text);
    for (const text of ["--redirect-dns", "restartPolicy: Always"]) assert.ok(!stdout.includes(text), text);
  });

  test("reads a folder with all that is in it as one stream of documents", async () => {
    const nested = join(folder, "k8s", "deep");
    mkdirSync(nested, { recursive: true });
    writeFileSync(join(folder, "k8s", "b.json"), JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } }));
    writeFileSync(join(nested, "a.yml"), POD);
    writeFileSync(join(nested, "README.md"), "- [");
    const { stdout, stderr } = await runMeshctl(["inject", join(folder, "k8s")]);
    const kinds = parseYamlDocuments(stdout, "out").documents.map((each) => (each.value as { kind: string }).kind);
    assert.deepEqual(kinds, ["ConfigMap", "Pod"]);
    assert.match(stderr, /1 injected, 0 skipped, 1 without pods/);
  });

  test("reads an https URL, and follows it to no other", async () => {
    const { certificate, key } = selfSigned("IP:127.0.0.1");
    const trusted = join(folder, "ca.pem");
    writeFileSync(trusted, certificate);
    const server = createServer({ cert: certificate, key }, (request, response) => {
      if (request.url === "/moved.yaml") response.writeHead(302, { location: "/pod.yaml" }).end();
      else if (request.url === "/pod.yaml") response.end(POD);
      else response.writeHead(404).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const inject = (path: string): Promise<MeshctlResult> =>
        runMeshctl(["inject", "-f", `${url}${path}`], { env: { NODE_EXTRA_CA_CERTS: trusted } });
      const [found, moved, missing] = await Promise.all([inject("/pod.yaml"), inject("/moved.yaml"), inject("/nothing.yaml")]);
      assert.match(found.stdout, /- name: meshctl-proxy/);
      assert.equal(found.stderr, `${url}/pod.yaml:1: Pod a: injected\n1 injected, 0 skipped, 0 without pods left as they are\n`);
      assert.deepEqual([moved.code, moved.stdout], [1, ""]);
      assert.match(moved.stderr, /^meshctl: can't read .*\/moved\.yaml: .*redirect.*\n {2}download it by other means/);
      assert.deepEqual([missing.code, missing.stdout], [1, ""]);
      assert.match(missing.stderr, /^meshctl: can't read .*\/nothing\.yaml: the server answers 404\n/);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  const empty = join(folder, "empty");
  mkdirSync(empty);
  for (const [what, args, input, code, message] of [
    ["a missing file", ["no.yaml"], "", 1, /can't read no\.yaml: no such file\n {2}give a file, a folder/],
    ["a folder without manifests", [empty], "", 1, /empty has no \*\.yaml, \*\.yml or \*\.json in it\n {2}\S/],
    ["plain http", ["http://127.0.0.1/a.yaml"], "", 1, /only https URLs are read\n {2}\S/],
    [
      "a server that isn't there",
      ["https://127.0.0.1:1/a.yaml"],
      "",
      1,
      /can't read https:\/\/127\.0\.0\.1:1\/a\.yaml: .*\n {2}download it/,
    ],
    ["nothing", [], "", 64, /nothing to read\n {2}give a file/],
    ["no YAML", ["-"], `${POD}---\na: [\n`, 1, /standard input:9:1: not YAML: .*\n {2}nothing was printed/],
    ["a bad flag", ["--discovery-address", "x", "-"], POD, 64, /--discovery-address wants host:port, not "x"/],
    [
      "a bad annotation beside a good pod",
      ["-"],
      `${POD}---\n${POD.replace("name: a", 'name: b, annotations: {proxy.istio.io/config: "concurrency: x"}')}`,
      1,
      /standard input:8: Pod b: refused: metadata\.annotations\["proxy\.istio\.io\/config"\]: concurrency.*\nmeshctl: 1 object can't be injected; nothing was printed/s,
    ],
    [
      "a pod that can't be meshed, with --strict",
      ["--strict", "-"],
      POD.replace("spec:", "spec:\n  hostNetwork: true"),
      1,
      /skipped: hostNetwork.*1 object with problems; nothing was printed/s,
    ],
  ] as const) {
    test(`refuses ${what} with one message and a remedy, and prints nothing`, async () => {
      const result = await runMeshctl(["inject", ...args], { input });
      assert.equal(result.stdout, "");
      assert.match(result.stderr, message);
      assert.equal(result.code, code);
    });
  }

  test("passes on a pod that can't be meshed, without --strict", async () => {
    const input = POD.replace("spec:", "spec:\n  hostNetwork: true");
    const result = await runMeshctl(["inject", "-"], { input });
    assert.equal(result.code, 0);
    assert.equal(result.stdout, input);
  });

  test("leaves the files that it read alone", () => assert.equal(readFileSync(file, "utf8"), POD));
});
