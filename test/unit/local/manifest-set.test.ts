import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { desiredState } from "../../../src/local/cluster/desired-pods.ts";
import { LOCAL_INJECTION } from "../../../src/local/cluster/local-injection.ts";
import { unsupportedFields } from "../../../src/local/cluster/manifest-check.ts";
import { ManifestReader, readManifestsStrictly, requirePods } from "../../../src/local/cluster/manifest-set.ts";

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          command: [web]
`;

describe("the user's YAML", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "meshctl-test-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

  test("is read from every YAML and JSON file of a folder, and read again only when one has changed", () => {
    write("web.yaml", DEPLOYMENT);
    write("notes.txt", "not: [yaml");
    write("map.json", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"1"}}');
    const reader = new ManifestReader([folder]);
    const set = reader.read();
    assert.deepEqual([set?.deployments.length, set?.configMaps.length, set?.problems], [1, 1, []]);
    assert.equal(reader.read(), undefined);
    write("map.json", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"2"}}');
    assert.equal(reader.read()?.configMaps[0]?.object.data?.["a"], "2");
    rmSync(join(folder, "map.json"));
    assert.equal(reader.read()?.configMaps.length, 0);
  });

  test("keeps the last good objects of a file that is broken, and says where", () => {
    write("web.yaml", DEPLOYMENT);
    const reader = new ManifestReader([folder]);
    reader.read();
    write("web.yaml", DEPLOYMENT.replace("[web]", "[web"));
    const broken = reader.read();
    assert.equal(broken?.deployments.length, 1);
    assert.match(broken?.problems[0] ?? "", /web\.yaml:11:1: not YAML/);
    write("web.yaml", DEPLOYMENT);
    assert.deepEqual(reader.read()?.problems, []);
  });

  for (const [what, name] of [
    ["folder", "k8s"],
    ["file", "k8s/web.yaml"],
  ] as const) {
    test(`stays in force while the ${what} that was given is gone, and says so until it is back`, () => {
      mkdirSync(join(folder, "k8s"));
      write("k8s/web.yaml", DEPLOYMENT);
      const source = join(folder, name);
      const reader = new ManifestReader([source]);
      assert.deepEqual(reader.read()?.problems, []);
      renameSync(source, join(folder, "away"));
      const gone = reader.read();
      assert.equal(gone?.deployments.length, 1);
      assert.deepEqual(gone.problems, [`${source}: is gone; its pods and Services go on as they are until it is back`]);
      assert.equal(reader.read(), undefined);
      renameSync(join(folder, "away"), source);
      const back = reader.read();
      assert.deepEqual([back?.deployments.length, back?.problems], [1, []]);
    });
  }

  test("stays in force while a file can't be read, and says why", () => {
    write("web.yaml", DEPLOYMENT);
    const reader = new ManifestReader([folder]);
    reader.read();
    rmSync(join(folder, "web.yaml"));
    mkdirSync(join(folder, "web.yaml"));
    const unreadable = reader.read();
    assert.equal(unreadable?.deployments.length, 1);
    assert.deepEqual(unreadable.problems, [`${join(folder, "web.yaml")}:1:1: can't be read: EISDIR`]);
    rmSync(join(folder, "web.yaml"), { recursive: true });
    assert.equal(reader.read()?.deployments.length, 0);
  });

  for (const [what, text, message] of [
    [
      "a container without a command",
      DEPLOYMENT.replace("          command: [web]\n", ""),
      /web\.yaml:9:11: Deployment web: container web has no command/,
    ],
    ["replicas that are no number", DEPLOYMENT.replace("spec:\n", "spec:\n  replicas: many\n"), /web\.yaml:5:3: Deployment web: replicas/],
    [
      "a selector that misses its own pods",
      DEPLOYMENT.replace("spec:\n", "spec:\n  selector: { matchLabels: { app: other } }\n"),
      /selector app=other does not match/,
    ],
    ["a label that is no string", DEPLOYMENT.replace("app: web", "app: 1"), /labels\.app must be a string/],
    ["an object without a kind", "metadata: { name: x }\n", /apiVersion is required/],
    [
      "the same object twice",
      `${DEPLOYMENT}---\n${DEPLOYMENT}`,
      /web\.yaml:14:13: Deployment\/shop\/web is already defined at .*web\.yaml:1/,
    ],
    ["a kind that is not run here", DEPLOYMENT.replace("kind: Deployment", "kind: StatefulSet"), /does not run a StatefulSet/],
    [
      "a field of a Deployment that Kubernetes doesn't know",
      DEPLOYMENT.replace("spec:\n", "spec:\n  replicaz: 2\n"),
      /web\.yaml:5:3: Deployment web: spec\.replicaz: unknown field; did you mean "replicas"\?/,
    ],
    [
      "a field of a container that Kubernetes doesn't know",
      `${DEPLOYMENT}          comand: [x]\n`,
      /web\.yaml:11:11: Deployment web: spec\.template\.spec\.containers\[0\]\.comand: unknown field; did you mean "command"\?/,
    ],
    [
      "a field of a Service that Kubernetes doesn't know",
      "apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { ports: [{ port: 80, targetport: 8080 }] }\n",
      /Service s: spec\.ports\[0\]\.targetport: unknown field; did you mean "targetPort"\?/,
    ],
  ] as const) {
    test(`is refused with ${what}`, () => {
      write("web.yaml", text);
      assert.throws(() => readManifestsStrictly([folder]), { message });
    });
  }

  test("is refused where nothing is to be run", () => {
    write("web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: m }\n");
    const set = readManifestsStrictly([folder]);
    assert.throws(() => requirePods(set, [folder]), { message: /no Deployment and no Pod/ });
  });

  test("makes injected pods, with a hash that changes with the template", () => {
    write("web.yaml", DEPLOYMENT);
    const first = desiredState(readManifestsStrictly([folder]), LOCAL_INJECTION).workloads[0];
    assert.deepEqual(
      first?.template.spec.initContainers?.map((each) => each.name),
      ["meshctl-init", "meshctl-proxy"],
    );
    write("web.yaml", DEPLOYMENT.replace("[web]", "[web, -v]"));
    const second = desiredState(readManifestsStrictly([folder]), LOCAL_INJECTION).workloads[0];
    assert.notEqual(second?.templateHash, first.templateHash);
  });

  test("tells of fields that have no effect, and of none where all have", () => {
    const container = { name: "web", command: ["web"], resources: {}, readinessProbe: { grpc: { port: 1 } } };
    const spec = { containers: [container], dnsPolicy: "None", volumes: [{ name: "s", secret: {} }] };
    assert.deepEqual(unsupportedFields({ spec }, "Deployment web"), [
      "Deployment web: dnsPolicy has no effect in a local mesh",
      "Deployment web, container web: resources has no effect in a local mesh",
      "Deployment web, container web: readinessProbe.grpc has no effect in a local mesh without a sidecar",
      "Deployment web, volume s: secret has no effect in a local mesh",
    ]);
    write("web.yaml", DEPLOYMENT);
    const [workload] = desiredState(readManifestsStrictly([folder]), LOCAL_INJECTION).workloads;
    assert.deepEqual(unsupportedFields(workload!.template, "Deployment web"), []);
  });
});
