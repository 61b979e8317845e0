// Our CRDs, judged by a real API server: what schema-validator.ts and structural-rules.ts believe about it elsewhere.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../src/common/clock.ts";
import { parseYamlDocuments } from "../../src/common/yaml.ts";
import { ApiError } from "../../src/kube/api-error.ts";
import { KubeObjects } from "../../src/kube/objects.ts";
import type { ObjectDraft } from "../../src/kube/objects.ts";
import { isMeshKind, MESH_KINDS } from "../../src/mesh-api/mesh-kinds.ts";
import type { MeshKind } from "../../src/mesh-api/mesh-kinds.ts";
import { eventually } from "../support/eventually.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { playNamespace } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { REFUSED_SPECS } from "../support/kubernetes/refused-specs.ts";
import { runMeshctl } from "../support/run-meshctl.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const KINDS = Object.keys(MESH_KINDS) as MeshKind[];

/** Discovery and schemas follow a new CRD within moments. */
const FOLLOWS = { withinMs: 20_000 };

const accepted = globSync(["samples/**/*.yaml", "test/golden/{translate,sources}/**/*.yaml"], { cwd: ROOT })
  .filter((file) => !file.endsWith("output.yaml"))
  .sort()
  .flatMap((file) =>
    parseYamlDocuments(readFileSync(join(ROOT, file), "utf8"), file).documents.flatMap(({ value }) => {
      const object = value as (ObjectDraft & { readonly metadata: { readonly name: string } }) | null;
      return object !== null && isMeshKind(object.kind) ? [{ file, object }] : [];
    }),
  );

function draft(kind: MeshKind, name: string, spec: unknown, version: string = "v1"): ObjectDraft {
  const apiVersion = `${MESH_KINDS[kind].group}/${version}`;
  return { apiVersion, kind, metadata: { name, namespace: "default" }, ...(spec === undefined ? {} : { spec }) };
}

describe("the CRDs on a real API server", () => {
  let cluster: RealCluster;
  let objects: KubeObjects;
  const warnings: string[] = [];
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    const { stdout } = await runMeshctl(["install", "--crds", "--kubeconfig", cluster.kubeconfig]);
    const applied = await cluster.kubectl(["apply", "--validate=strict", "-f", "-"], stdout);
    assert.deepEqual([applied.code, applied.stderr], [0, ""]);
    objects = new KubeObjects({ connection: cluster.connect(), clock: systemClock, onWarning: (text) => warnings.push(text) });
  });
  after(async () => cluster?.stop());

  for (const kind of KINDS) {
    test(`${kind} is structural, established and served in every version`, REAL, async () => {
      const { group, versions } = MESH_KINDS[kind];
      const crds = await objects.list({ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" });
      const crd = crds?.find((each) => (each["spec"] as { names: { kind: string } }).names.kind === kind);
      const { conditions } = crd?.["status"] as { conditions: readonly { type: string; status: string }[] };
      assert.deepEqual(conditions.map(({ type, status }) => `${type}=${status}`).sort(), ["Established=True", "NamesAccepted=True"]);
      for (const version of versions) {
        await eventually(async () => assert.equal(await objects.isNamespaced({ apiVersion: `${group}/${version}`, kind }), true), FOLLOWS);
      }
    });

    test(`kubectl explain tells what ${kind} is and what each field means`, REAL, async () => {
      const explain = (path: string): Promise<string> =>
        eventually(async () => {
          const { code, stdout, stderr } = await cluster.kubectl(["explain", path]);
          assert.deepEqual([code, stderr], [0, ""]);
          return stdout;
        }, FOLLOWS);
      const top = await explain(kind);
      assert.match(top, new RegExp(`KIND: +${kind}\nVERSION: +v1\n\nDESCRIPTION:\n +\\S`));
      const spec = await explain(`${kind}.spec`);
      // Every field has its sentence below it.
      const fields = [...spec.slice(spec.indexOf("FIELDS:")).matchAll(/^ {2}(\w+)\t.*\n(.*)/gm)];
      assert.ok(fields.length > 0, spec);
      for (const [, name, next] of fields) assert.match(next ?? "", /^ {4}[A-Z]/, `${name} in ${spec}`);
    });
  }

  test("takes every sample and golden case strictly, in each version, without a warning", REAL, async () => {
    for (const namespace of new Set(accepted.map(({ object }) => object.metadata.namespace))) {
      if (namespace !== undefined) await playNamespace(objects, namespace);
    }
    assert.ok(accepted.length > 10);
    warnings.length = 0;
    for (const { file, object } of accepted) {
      const { group, versions } = MESH_KINDS[object.kind as MeshKind];
      for (const version of versions) {
        const sent = { ...object, apiVersion: `${group}/${version}` };
        await objects.create(sent, { dryRun: true, fieldValidation: "Strict" }).catch((error: unknown) => {
          assert.fail(`${file}: ${object.kind} ${object.metadata.name} ${version}: ${(error as Error).message}`);
        });
      }
    }
    assert.deepEqual(warnings, []);
  });

  for (const [kind, spec, problem] of REFUSED_SPECS) {
    test(`refuses ${kind} ${JSON.stringify(spec) ?? "without spec"}`, REAL, async () => {
      const field = problem.slice(0, problem.indexOf(": "));
      await assert.rejects(objects.create(draft(kind, "bad", spec), { dryRun: true }), (error) => {
        assert.ok(error instanceof ApiError);
        assert.equal(error.code, 422, error.message);
        // Of oneOf it names the field in the text only.
        assert.ok(error.message.includes(`${field}: `) || error.message.includes(`"${field}" must validate`), error.message);
        return true;
      });
    });
  }

  test("keeps fields that nobody knows, at every depth, as they were written", REAL, async () => {
    const spec = { hosts: ["a"], novel: 1, http: [{ fault: {}, route: [{ destination: { host: "a", zone: "b" } }] }] };
    const kept = await objects.create(draft("VirtualService", "novel", spec, "v1alpha3"), { fieldValidation: "Strict" });
    assert.deepEqual(kept["spec"], spec);
    const read = await objects.get({ ...draft("VirtualService", "novel", spec, "v1beta1"), namespace: "default", name: "novel" });
    assert.deepEqual([read?.apiVersion, read?.["spec"]], ["networking.istio.io/v1beta1", spec]);
  });

  test("takes null for absent", REAL, async () => {
    const to = [{ destination: { host: "a" } }];
    const made = await objects.create(draft("VirtualService", "nulls", { hosts: ["a"], http: null, tcp: [{ match: null, route: to }] }));
    assert.deepEqual(made["spec"], { hosts: ["a"], tcp: [{ route: to }] });
  });

  test("keeps status apart from the rest, so that who writes one can't change the other", REAL, async () => {
    const rule = draft("DestinationRule", "status", { host: "a" });
    const made = await objects.create({ ...rule, status: { conditions: [] } });
    assert.equal(made["status"], undefined);
    const name = { ...rule, namespace: "default", name: "status" };
    const status = {
      conditions: [{ type: "Accepted", status: "True", reason: "Valid", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }],
    };
    await objects.mergePatch(name, { spec: { host: "b" }, status }, { subresource: "status" });
    const read = await objects.get(name);
    assert.deepEqual([read?.["spec"], read?.["status"]], [{ host: "a" }, status]);
  });

  test("shows the columns of kubectl get", REAL, async () => {
    await objects.create(
      draft("VirtualService", "columns", { hosts: ["shown.example"], tcp: [{ route: [{ destination: { host: "a" } }] }] }),
    );
    const { stdout } = await cluster.kubectl(["get", "vs", "columns"]);
    assert.match(stdout, /^NAME +GATEWAYS +HOSTS +AGE\ncolumns .*shown\.example/);
  });
});
