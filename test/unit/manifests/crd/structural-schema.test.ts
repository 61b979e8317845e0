// zod definitions as structural schemas: what each becomes, and what has none.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { toStructuralSchema } from "../../../../src/manifests/crd/structural-schema.ts";
import { choice, duration, notSupported, struct } from "../../../../src/mesh-api/fields.ts";
import { schemaProblems } from "../../../support/kubernetes/schema-validator.ts";
import { structuralProblems } from "../../../support/kubernetes/structural-rules.ts";

const KEEPS = { "x-kubernetes-preserve-unknown-fields": true } as const;

describe("a zod definition becomes a structural schema", () => {
  const cases: readonly (readonly [string, z.ZodType, unknown])[] = [
    [
      "with limits of strings",
      z
        .string()
        .min(1)
        .max(9)
        .regex(/^a\/[^b]$/i),
      { type: "string", pattern: "(?i)^a/[^b]$", minLength: 1, maxLength: 9 },
    ],
    ["with limits of numbers", z.int().min(1).max(65535), { type: "integer", minimum: 1, maximum: 65535 }],
    [
      "with exclusive limits",
      z.number().gt(0).lt(1),
      { type: "number", minimum: 0, exclusiveMinimum: true, maximum: 1, exclusiveMaximum: true },
    ],
    ["with the words of a choice", choice(["A", "B"], ["C"]), { type: "string", enum: ["A", "B"] }],
    ["with the text of what is transformed", duration, { type: "string", pattern: "^(?:0|(?:\\d+(?:\\.\\d*)?(?:ns|us|µs|ms|s|m|h))+)$" }],
    ["with maps", z.record(z.string(), z.boolean()), { type: "object", additionalProperties: { type: "boolean" } }],
    ["with lists", z.array(z.string()).min(1), { type: "array", items: { type: "string" }, minItems: 1 }],
    ["with null", z.string().nullish(), { type: "string", nullable: true }],
    ["without defaults", z.string().default("x"), { type: "string" }],
    ["of anything", z.unknown(), KEEPS],
    [
      "whose objects keep unknown fields and name none that is not supported",
      struct({ a: z.string().describe("A."), b: z.boolean().optional().describe("B."), c: notSupported() }),
      {
        type: "object",
        properties: { a: { description: "A.", type: "string" }, b: { description: "B.", type: "boolean" } },
        required: ["a"],
        ...KEEPS,
      },
    ],
    ["of literals", z.union([z.literal(301), z.literal(302)]), { type: "integer", enum: [301, 302] }],
    [
      "that is an int or a string",
      z.union([z.int().min(1), z.string().regex(/%$/)]),
      { "x-kubernetes-int-or-string": true, minimum: 1, pattern: "%$" },
    ],
    [
      "with alternatives of one type as value validations",
      z.union([z.string().max(1), z.string().regex(/^x/)]),
      { type: "string", anyOf: [{ maxLength: 1 }, { pattern: "^x" }] },
    ],
    [
      "with the fields of all alternatives, and their rules beside them",
      z.discriminatedUnion("type", [
        struct({ type: z.literal("a").describe("Which."), size: z.int().min(1) }),
        struct({ type: z.literal("b"), names: z.array(z.string().min(2)).optional() }),
      ]),
      {
        type: "object",
        properties: {
          type: { description: "Which.", type: "string", enum: ["a", "b"] },
          size: { type: "integer", minimum: 1 },
          names: { type: "array", items: { type: "string", minLength: 2 } },
        },
        required: ["type"],
        anyOf: [
          { required: ["type", "size"], properties: { type: { enum: ["a"] }, size: { minimum: 1 } } },
          { required: ["type"], properties: { type: { enum: ["b"] }, names: { items: { minLength: 2 } } } },
        ],
        ...KEEPS,
      },
    ],
    ["that has no rule where one alternative has none", z.union([z.string().max(1), z.string()]), { type: "string" }],
    ["that may be null among others", z.union([z.string(), z.null()]), { type: "string", nullable: true }],
  ];
  for (const [title, definition, expected] of cases) {
    test(title, () => {
      const schema = toStructuralSchema(definition);
      assert.deepEqual(schema, expected);
      assert.deepEqual(structuralProblems({ type: "object", properties: { spec: schema } }), []);
    });
  }

  test("that asks for exactly one of several fields", () => {
    const definition = struct({ a: z.string().optional(), b: z.string().optional() }).meta({ exactlyOneOf: ["a", "b"] });
    const schema = toStructuralSchema(definition);
    assert.deepEqual(schemaProblems({ a: "" }, schema), []);
    assert.deepEqual(schemaProblems({}, schema), ["(root): fits 0 of oneOf"]);
    assert.deepEqual(schemaProblems({ a: "", b: "" }, schema), ["(root): fits 2 of oneOf"]);
  });

  test("that asks for at most one of several fields", () => {
    const definition = struct({ a: z.string().optional(), b: z.string().optional() }).meta({ atMostOneOf: ["a", "b"] });
    const schema = toStructuralSchema(definition);
    assert.deepEqual(structuralProblems(schema), []);
    assert.deepEqual(schemaProblems({}, schema), []);
    assert.deepEqual(schemaProblems({ b: "" }, schema), []);
    assert.deepEqual(schemaProblems({ a: "", b: "" }, schema), ["(root): fits 2 of oneOf"]);
  });
});

describe("what has no structural schema is refused with its field", () => {
  const node: z.ZodType = z.lazy(() => struct({ next: node.optional() }));
  const cases: readonly (readonly [string, z.ZodType, RegExp])[] = [
    ["a recursive definition", struct({ a: node }), /^Error: spec\.a: a zod lazy has no structural schema/],
    [
      "a string or a list",
      struct({ a: z.array(z.union([z.string(), z.array(z.string())])) }),
      /^Error: spec\.a\[\]: string or array has no/,
    ],
    ["a look-ahead", z.string().regex(/^(?!x)/), /is no pattern in RE2 syntax/],
    ["two patterns", z.string().regex(/a/).regex(/b/), /two patterns/],
    ["a date", z.date(), /a zod date has no structural schema/],
  ];
  for (const [title, definition, message] of cases) test(title, () => assert.throws(() => toStructuralSchema(definition), message));
});
