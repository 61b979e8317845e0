// The CRDs of the mesh API: taken by the API server's rules, accepting what the mesh accepts, refusing what it can.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { parseYamlDocuments } from "../../../../src/common/yaml.ts";
import { customResourceDefinition, customResourceDefinitions } from "../../../../src/manifests/crd/custom-resource-definition.ts";
import { isMeshKind, MESH_KINDS } from "../../../../src/mesh-api/mesh-kinds.ts";
import type { MeshKind } from "../../../../src/mesh-api/mesh-kinds.ts";
import { REFUSED_SPECS } from "../../../support/kubernetes/refused-specs.ts";
import { schemaProblems } from "../../../support/kubernetes/schema-validator.ts";
import { structuralProblems } from "../../../support/kubernetes/structural-rules.ts";

const ROOT = resolve(import.meta.dirname, "../../../..");
const KINDS = Object.keys(MESH_KINDS) as MeshKind[];

interface MeshYaml {
  readonly kind: MeshKind;
  readonly metadata: { readonly name: string };
  readonly spec?: unknown;
}

function schemaOf(kind: MeshKind): unknown {
  return customResourceDefinition(kind).spec.versions[0]?.schema.openAPIV3Schema;
}

/** apiVersion, kind and metadata are the API server's own; it lets them through. */
function problemsOf(kind: MeshKind, spec: unknown): string[] {
  return schemaProblems(spec === undefined ? {} : { spec }, schemaOf(kind));
}

describe("the CRDs of the mesh API", () => {
  for (const kind of KINDS) {
    const crd = customResourceDefinition(kind);

    test(`${kind} keeps to the rules of structural schemas in every version`, () => {
      for (const { schema } of crd.spec.versions) assert.deepEqual(structuralProblems(schema.openAPIV3Schema), []);
    });

    test(`${kind} fits into the annotation of kubectl apply`, () => assert.ok(JSON.stringify(crd).length < 200_000));

    test(`${kind} is described at every field for kubectl explain`, () => {
      const bare: string[] = [];
      visit(schemaOf(kind) as Node, kind, (node, path) => {
        if (!/^[A-Z].*[^ ]\.$/.test(node.description ?? "")) bare.push(`${path}: ${node.description ?? "no description"}`);
      });
      assert.deepEqual(bare, []);
    });
  }

  test("serve all versions, store the first and convert nothing", () => {
    assert.deepEqual(
      customResourceDefinitions().map(({ metadata, spec }) => [
        metadata.name,
        spec.versions.map((each) => `${each.name}${each.served ? " served" : ""}${each.storage ? " stored" : ""}`),
        spec.conversion,
      ]),
      [
        ["virtualservices.networking.istio.io", ["v1 served stored", "v1beta1 served", "v1alpha3 served"], { strategy: "None" }],
        ["destinationrules.networking.istio.io", ["v1 served stored", "v1beta1 served", "v1alpha3 served"], { strategy: "None" }],
        ["peerauthentications.security.istio.io", ["v1 served stored", "v1beta1 served"], { strategy: "None" }],
      ],
    );
  });
});

interface Node {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly additionalProperties?: Node;
}

function visit(node: Node, path: string, onField: (node: Node, path: string) => void): void {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    onField(child, `${path}.${name}`);
    visit(child, `${path}.${name}`, onField);
  }
  for (const child of [node.items, node.additionalProperties]) if (child !== undefined) visit(child, `${path}[]`, onField);
}

describe("objects that the mesh accepts", () => {
  const files = globSync(["samples/**/*.yaml", "test/golden/translate/**/input.yaml"], { cwd: ROOT }).sort();
  const objects = files.flatMap((file) =>
    parseYamlDocuments(readFileSync(join(ROOT, file), "utf8"), file).documents.flatMap(({ value }) => {
      const object = value as MeshYaml | null;
      return object !== null && isMeshKind(object.kind) ? [{ file, object }] : [];
    }),
  );

  test("are there for every kind", () => {
    assert.deepEqual([...new Set(objects.map(({ object }) => object.kind))].sort(), [...KINDS].sort());
  });

  for (const { file, object } of objects) {
    test(`${object.kind} ${object.metadata.name} of ${file} is accepted by its CRD as well`, () => {
      assert.equal(MESH_KINDS[object.kind].spec.safeParse(object.spec ?? {}).success, true);
      assert.deepEqual(problemsOf(object.kind, object.spec), []);
    });
  }
});

describe("the API server refuses, where it can, what the mesh would refuse", () => {
  for (const [kind, spec, problem] of REFUSED_SPECS) {
    test(`${kind} ${JSON.stringify(spec) ?? "without spec"}`, () => {
      const problems = problemsOf(kind, spec);
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.ok(problems[0]?.startsWith(problem), problems.join());
      assert.equal(MESH_KINDS[kind].spec.safeParse(spec ?? {}).success, false);
    });
  }

  test("but keeps fields that it doesn't know, at every depth, for the mesh to name", () => {
    const spec = { hosts: ["a"], novel: 1, http: [{ fault: {}, route: [{ destination: { host: "a", zone: "b" } }] }] };
    assert.deepEqual(problemsOf("VirtualService", spec), []);
  });

  test("and takes null for absent", () => {
    const to = [{ destination: { host: "a" } }];
    assert.deepEqual(problemsOf("VirtualService", { hosts: ["a"], http: null, tcp: [{ match: null, route: to }] }), []);
  });
});
