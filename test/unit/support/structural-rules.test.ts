// The double of the API server's rules itself: each rule finds its case.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { schemaProblems } from "../../support/kubernetes/schema-validator.ts";
import { structuralProblems } from "../../support/kubernetes/structural-rules.ts";

const field = (schema: unknown): unknown => ({ type: "object", properties: { a: schema } });

describe("the rules of structural schemas refuse", () => {
  const cases: readonly (readonly [string, unknown, string])[] = [
    ["a root that is no object", { type: "string" }, "(root): must be of type object"],
    ["a node without type", field({ description: "x" }), "a: must have a type"],
    ["an unknown type", field({ type: "int" }), 'a: "int" is no type'],
    ["$ref", field({ type: "string", $ref: "#/x" }), "a: $ref is forbidden"],
    ["const, which JSON Schema has and OpenAPI v3.0 lacks", field({ type: "string", const: "x" }), "a: const is forbidden"],
    ["uniqueItems", field({ type: "array", items: { type: "string" }, uniqueItems: true }), "a: uniqueItems is forbidden"],
    ["an array without items", field({ type: "array" }), "a: an array must have items, one schema for all"],
    ["additionalProperties: false", field({ type: "object", additionalProperties: false }), "a: additionalProperties: false is forbidden"],
    [
      "properties with additionalProperties",
      field({ type: "object", properties: {}, additionalProperties: { type: "string" } }),
      "a: has both properties and additionalProperties",
    ],
    [
      "a type inside anyOf",
      field({ type: "string", anyOf: [{ type: "string" }] }),
      "a<anyOf>: type is forbidden inside allOf, anyOf, oneOf and not",
    ],
    [
      "a description inside not, at any depth",
      field({ type: "object", properties: { b: { type: "string" } }, not: { properties: { b: { description: "x" } } } }),
      "a<not>.b: description is forbidden inside allOf, anyOf, oneOf and not",
    ],
    [
      "a field inside oneOf that is not outside",
      field({ type: "object", oneOf: [{ properties: { b: { minLength: 1 } } }] }),
      "a<oneOf>.b: must be a field outside, too",
    ],
    ["a required field that is none", field({ type: "object", required: ["b"] }), "a: required b is no field here"],
    ["a pattern that RE2 lacks", field({ type: "string", pattern: "(?=x)" }), 'a: "(?=x)" is no pattern of RE2'],
    ["a type beside int-or-string", field({ type: "string", "x-kubernetes-int-or-string": true }), "a: int-or-string must have no type"],
    [
      "preserve-unknown-fields: false",
      field({ type: "object", "x-kubernetes-preserve-unknown-fields": false }),
      "a: x-kubernetes-preserve-unknown-fields must be true or absent",
    ],
    ["null as default of what is not nullable", field({ type: "string", default: null }), "a: default null needs nullable"],
    ["an enum that says a value twice", field({ type: "string", enum: ["x", "x"] }), "a: enum has a value twice"],
    [
      "restrictions of metadata but for its name",
      { type: "object", properties: { metadata: { type: "object", properties: { labels: { type: "object" } } } } },
      "metadata.labels: only name and generateName may be restricted",
    ],
  ];
  for (const [title, schema, problem] of cases) test(title, () => assert.deepEqual(structuralProblems(schema), [problem]));
});

describe("the validator", () => {
  test("refuses to judge by a keyword that it doesn't know", () => {
    assert.throws(() => schemaProblems("x", { type: "string", format: "date" }), /knows no format/);
  });

  test("names fields that the API server would drop", () => {
    assert.deepEqual(schemaProblems({ a: 1 }, { type: "object", properties: {} }), ["a: is dropped"]);
  });

  test("holds anyOf, oneOf and not beside the node's own rules", () => {
    const schema = { type: "object", properties: { a: { type: "integer" } }, not: { required: ["a"] } };
    assert.deepEqual(schemaProblems({ a: 1 }, schema), ["(root): fits what it must not be"]);
    assert.deepEqual(schemaProblems("xy", { type: "string", anyOf: [{ maxLength: 1 }, { pattern: "^x" }] }), []);
    assert.deepEqual(schemaProblems("yx", { type: "string", anyOf: [{ maxLength: 1 }, { pattern: "^x" }] }), [
      "(root): fits none of anyOf",
    ]);
  });
});
