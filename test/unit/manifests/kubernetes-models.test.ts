// Everything that meshctl renders is what Kubernetes' own description of its objects says it may be, down to each field.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { parseYamlDocuments } from "../../../src/common/yaml.ts";
import { injectText } from "../../support/inject/inject-text.ts";
import { ModelCheck } from "../../support/kubernetes/model-check.ts";
import type { TypedObject } from "../../support/kubernetes/model-check.ts";

const GOLDEN = join(import.meta.dirname, "../../golden");
const read = (path: string): string => readFileSync(join(GOLDEN, path), "utf8");

function objectsOf(yaml: string): TypedObject[] {
  const values = parseYamlDocuments(yaml, "golden").documents.map((each) => each.value);
  return (values.filter((each) => each !== null) as (TypedObject & { readonly items?: readonly TypedObject[] })[]).flatMap(
    (each) => each.items ?? [each],
  );
}

const installations = readdirSync(join(GOLDEN, "install")).map((name) => ({ name, objects: objectsOf(read(`install/${name}`)) }));
const workloads = read("kubernetes/workloads.yaml");
const injected = [
  { name: "with native sidecars", objects: objectsOf(injectText(workloads).text) },
  { name: "with plain sidecars", objects: objectsOf(injectText(workloads, { nativeSidecar: false }).text) },
];
const POD = { apiVersion: "v1", kind: "Pod", metadata: { name: "a" }, spec: { containers: [{ name: "a", image: "b" }] } };

describe("Kubernetes' description of its objects", () => {
  let check: ModelCheck;
  before(() => {
    check = new ModelCheck([POD, ...[...installations, ...injected].flatMap((each) => each.objects)]);
  });

  for (const { name, objects } of installations) {
    test(`takes every object of the installation ${name}`, async () => {
      assert.ok(objects.length > 0);
      for (const each of objects) assert.deepEqual(await check.problems(each), [], `${each.kind}`);
    });
  }

  for (const { name, objects } of injected) {
    test(`takes every workload ${name}`, async () => {
      assert.ok(objects.length > 5);
      for (const each of objects) assert.deepEqual(await check.problems(each), [], `${each.kind}`);
    });
  }

  test("would say so of a wrong value and of a field that isn't there", async () => {
    assert.deepEqual(await check.problems(POD), []);
    assert.match((await check.problems({ ...POD, spec: { containers: [{ name: 5 }] } } as never)).join("\n"), /name/);
    const misspelt = { ...POD, spec: { containers: [{ name: "a", livenesProbe: {} }], volumes: [{ name: "v", emptyDir: { size: 1 } }] } };
    assert.deepEqual(await check.problems(misspelt as never), [
      "spec.containers[0].livenesProbe: there is no such field",
      "spec.volumes[0].emptyDir.size: there is no such field",
    ]);
  });
});
