// YAML text → snapshot, the way the controller does it, for tests of what comes after.
import { Ingest } from "../../src/control-plane/ingest/ingest.ts";
import { parseFile } from "../../src/control-plane/ingest/parse-file.ts";
import { formatConfigProblem } from "../../src/control-plane/ingest/raw-object.ts";
import type { MeshSettings, MeshSnapshot } from "../../src/control-plane/registry/mesh-snapshot.ts";
import { Registry } from "../../src/control-plane/registry/registry.ts";

export const TEST_SETTINGS: MeshSettings = {
  trustDomain: "cluster.local",
  clusterDomain: "cluster.local",
  rootNamespace: "mesh-system",
  clusterId: "Kubernetes",
  accessLogPath: undefined,
  pathNormalization: "BASE",
  protocolDetectionTimeoutMs: 5000,
};

/** Throws when the YAML has a problem. */
export function meshFromYaml(text: string, settings: Partial<MeshSettings> = {}): MeshSnapshot {
  const { snapshot, problems } = readMesh(text, settings);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return snapshot;
}

export function readMesh(text: string, settings: Partial<MeshSettings> = {}): { snapshot: MeshSnapshot; problems: string[] } {
  const registry = new Registry({ ...TEST_SETTINGS, ...settings });
  const ingest = new Ingest(registry, { onProblem: () => {}, onSolved: () => {} });
  ingest.apply(0, [{ part: "input.yaml", ...parseFile(text, "input.yaml") }]);
  return { snapshot: registry.snapshot(), problems: ingest.problems().map(formatConfigProblem) };
}
