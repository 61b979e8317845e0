// The values that a cluster keeps: what install wrote is what upgrade reads.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { controlPlaneObjects } from "../../../../src/manifests/install/installation.ts";
import type { ValuesLayer } from "../../../../src/manifests/install/install-values.ts";
import { readKeptValues, VALUES_CONFIG_MAP } from "../../../../src/manifests/install/kept-values.ts";
import { resolveValues } from "../../../../src/manifests/install/profiles.ts";
import type { ConfigMap } from "../../../../src/manifests/kube-objects.ts";

function printedFor(layer: ValuesLayer): ConfigMap {
  const printed = controlPlaneObjects(resolveValues([layer])).find((each) => each.metadata.name === VALUES_CONFIG_MAP);
  assert.ok(printed !== undefined);
  return printed;
}

describe("the kept values", () => {
  for (const layer of [
    {},
    { namespace: "other", profile: "ha" as const },
    { image: "1.10", controller: { nodeSelector: { "kubernetes.io/arch": "arm64" }, resources: { limits: { memory: "" } } } },
  ])
    test(`are those that were given: ${JSON.stringify(layer)}`, () => {
      assert.deepEqual(readKeptValues(printedFor(layer)), { layer, version: "dev", problems: [] });
    });

  test("of an installation that kept no version have none", () => {
    const { data: _data, ...bare } = printedFor({});
    assert.deepEqual(readKeptValues(bare), { layer: {}, version: undefined, problems: [] });
  });

  test("that were edited into nonsense are refused with their place", () => {
    const kept = readKeptValues({ ...printedFor({}), data: { "values.yaml": "image: x\ncontroler: {}\n" } });
    assert.deepEqual(kept.problems, [
      "ConfigMap mesh-system/meshctl-values, values.yaml:2:1: controler: there is no such value; did you mean controller?",
    ]);
  });

  test("that were copied to another namespace are refused", () => {
    const printed = printedFor({});
    const kept = readKeptValues({ ...printed, metadata: { ...printed.metadata, namespace: "copy" } });
    assert.deepEqual(kept.problems, [
      "ConfigMap copy/meshctl-values, values.yaml: namespace: is mesh-system, not the one that the ConfigMap is in",
    ]);
  });
});
