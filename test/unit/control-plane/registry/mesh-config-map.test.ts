// The mesh's configuration in its ConfigMap: over what the controller was started with, live, and named in full when it is wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeshSettings } from "../../../../src/control-plane/registry/mesh-snapshot.ts";
import { readMesh } from "../../../support/mesh-from-yaml.ts";

function configMap(mesh: string, { namespace = "mesh-system", name = "meshctl" } = {}): string {
  const text = mesh.split("\n").map((line) => `    ${line}`);
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${namespace} }\ndata:\n  mesh: |\n${text.join("\n")}\n`;
}

function settings(yaml: string, given: Partial<MeshSettings> = {}): MeshSettings {
  const { snapshot, problems } = readMesh(yaml, given);
  assert.deepEqual(problems, []);
  return snapshot.settings;
}

const ALL = "accessLogFile: /dev/stdout\npathNormalization:\n  normalization: MERGE_SLASHES\nprotocolDetectionTimeout: 100ms";

test("what the ConfigMap says holds, whatever the controller was started with", () => {
  const { accessLogPath, pathNormalization, protocolDetectionTimeoutMs } = settings(configMap(ALL), {
    accessLogPath: "/tmp/log",
    pathNormalization: "NONE",
    protocolDetectionTimeoutMs: 1,
  });
  assert.deepEqual([accessLogPath, pathNormalization, protocolDetectionTimeoutMs], ["/dev/stdout", "MERGE_SLASHES", 100]);
});

test("what it doesn't say stays as the controller was started", () => {
  const given = { accessLogPath: "/tmp/log", pathNormalization: "NONE" } as const;
  const { accessLogPath, pathNormalization, protocolDetectionTimeoutMs } = settings(configMap("protocolDetectionTimeout: 0s"), given);
  assert.deepEqual([accessLogPath, pathNormalization, protocolDetectionTimeoutMs], ["/tmp/log", "NONE", 0]);
});

test("an empty access log file turns access logs off, and DEFAULT is Istio's default", () => {
  const mesh = 'accessLogFile: ""\npathNormalization: { normalization: DEFAULT }';
  const { accessLogPath, pathNormalization } = settings(configMap(mesh), { accessLogPath: "/tmp/log", pathNormalization: "NONE" });
  assert.deepEqual([accessLogPath, pathNormalization], [undefined, "BASE"]);
});

test("ConfigMaps of another name or namespace are none of the mesh's", () => {
  for (const other of [{ namespace: "shop" }, { name: "istio" }])
    assert.equal(settings(configMap(ALL, other), { pathNormalization: "NONE" }).pathNormalization, "NONE");
});

test("an empty text is a configuration without a word", () => {
  assert.equal(settings(configMap(""), { pathNormalization: "NONE" }).pathNormalization, "NONE");
});

test("every problem in it is named with its field", () => {
  const mesh =
    "accessLogFile: 5\npathNormalization: { normalization: SOME }\nouboundTrafficPolicy: {}\nenableTracing: true\ntrustDomain: td";
  const { problems } = readMesh(configMap(mesh), {});
  assert.deepEqual(problems.map((each) => each.replace(/^.*ConfigMap mesh-system\/meshctl: /, "")).sort(), [
    "data.mesh.accessLogFile: must be a file such as /dev/stdout",
    "data.mesh.enableTracing: is not supported yet",
    'data.mesh.ouboundTrafficPolicy: unknown field; did you mean "outboundTrafficPolicy"?',
    'data.mesh.pathNormalization.normalization: must be one of DEFAULT, NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES, not "SOME"',
    "data.mesh.trustDomain: belongs to the installation: meshctl install --set trustDomain=…",
  ]);
});

test("text that is no YAML is refused with the place in it, and nothing changes", () => {
  const { snapshot, problems } = readMesh(configMap("a: [1"), { pathNormalization: "NONE" });
  assert.match(problems.join(), /ConfigMap mesh-system\/meshctl: data\.mesh: not YAML: .*, in its line \d/);
  assert.equal(snapshot.settings.pathNormalization, "NONE");
});
