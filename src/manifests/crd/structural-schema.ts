// zod definition → structural schema, as the API server asks of a CRD: a type at every node, no $ref, no
// additionalProperties: false, alternatives as value validations beside the fields that they speak of. What it accepts
// includes all that the definition accepts; refinements in code are left to the mesh's own validation.
import { z } from "zod";
import type { SchemaHints } from "../../mesh-api/schema-hints.ts";
import type { StructuralSchema, ValueValidation } from "./open-api-schema.ts";
import { toRe2Pattern } from "./re2-pattern.ts";
import { joinAlternatives } from "./alternatives.ts";

/** @throws Error that names the field when there is no structural schema for it. */
export function toStructuralSchema(schema: z.core.$ZodType, path: string = "spec"): StructuralSchema {
  const { description, ...hints } = metaOf(schema);
  const converted = convert(schema, path);
  return {
    ...(description === undefined ? {} : { description }),
    ...converted,
    ...toOneOf(hints, path),
  };
}

function metaOf(schema: z.core.$ZodType): SchemaHints & { readonly description?: string } {
  return z.globalRegistry.get(schema) ?? {};
}

function convert(schema: z.core.$ZodType, path: string): StructuralSchema {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodReadonly) return toStructuralSchema(schema.unwrap(), path);
  // Defaults are ours to apply when reading: written into stored objects they would outlive a version that changes them.
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return toStructuralSchema(schema.def.innerType, path);
  if (schema instanceof z.ZodNullable) return { ...toStructuralSchema(schema.unwrap(), path), nullable: true };
  if (schema instanceof z.ZodPipe) return toStructuralSchema(schema.def.in, path);
  if (schema instanceof z.ZodString) return { type: "string", ...stringValidation(schema) };
  if (schema instanceof z.ZodNumber) return { type: isWhole(schema) ? "integer" : "number", ...numberValidation(schema) };
  if (schema instanceof z.ZodBoolean) return { type: "boolean" };
  if (schema instanceof z.ZodEnum) return ofWords(schema.options, path);
  if (schema instanceof z.ZodLiteral) return ofWords([...schema.values], path);
  if (schema instanceof z.ZodArray)
    return { type: "array", items: toStructuralSchema(schema.element, `${path}[]`), ...lengthValidation(schema, "minItems", "maxItems") };
  if (schema instanceof z.ZodRecord) return { type: "object", additionalProperties: toStructuralSchema(schema.valueType, `${path}.*`) };
  if (schema instanceof z.ZodObject) return ofObject(schema, path);
  if (schema instanceof z.ZodUnion) return ofUnion(schema.options, path);
  if (schema instanceof z.ZodUnknown || schema instanceof z.ZodAny) return { "x-kubernetes-preserve-unknown-fields": true };
  throw new Error(`${path}: a zod ${schema._zod.def.type} has no structural schema`);
}

function ofObject(schema: z.ZodObject, path: string): StructuralSchema {
  const fields = Object.entries<z.core.$ZodType>(schema.shape).filter(([, field]) => !isNever(field));
  const required = fields.filter(([, field]) => field._zod.optin !== "optional").map(([name]) => name);
  return {
    type: "object",
    ...(fields.length === 0
      ? {}
      : { properties: Object.fromEntries(fields.map(([name, field]) => [name, toStructuralSchema(field, `${path}.${name}`)])) }),
    ...(required.length === 0 ? {} : { required }),
    // Or the API server drops what it doesn't know before our validation can name it.
    "x-kubernetes-preserve-unknown-fields": true,
  };
}

/** A field that Istio has and nothing acts on yet: unknown to the API server, named by our validation. */
function isNever(field: z.core.$ZodType): boolean {
  return field instanceof z.ZodOptional ? isNever(field.unwrap()) : field instanceof z.ZodNever;
}

function ofUnion(options: readonly z.core.$ZodType[], path: string): StructuralSchema {
  const alternatives = options.filter((each) => !(each instanceof z.ZodNull) && !isNever(each));
  const joined = joinAlternatives(
    alternatives.map((each) => toStructuralSchema(each, path)),
    path,
  );
  return options.some((each) => each instanceof z.ZodNull) ? { ...joined, nullable: true } : joined;
}

function ofWords(words: readonly unknown[], path: string): StructuralSchema {
  const [type, ...others] = new Set(words.map((each) => (Number.isInteger(each) ? "integer" : typeof each)));
  if (others.length > 0 || (type !== "string" && type !== "integer" && type !== "boolean"))
    throw new Error(`${path}: values of several types, or of none that JSON has`);
  return { type, enum: words };
}

type Checks = readonly z.core.$ZodCheck[];

function checksOf(schema: { readonly def: { readonly checks?: Checks } }): readonly z.core.$ZodChecks[] {
  return (schema.def.checks ?? []) as readonly z.core.$ZodChecks[];
}

function stringValidation(schema: z.ZodString): ValueValidation {
  const patterns = checksOf(schema).flatMap((check) =>
    check._zod.def.check === "string_format" && check._zod.def.pattern !== undefined ? [toRe2Pattern(check._zod.def.pattern)] : [],
  );
  if (patterns.length > 1) throw new Error(`two patterns, ${patterns.join(" and ")}, for one string`);
  return { ...(patterns[0] === undefined ? {} : { pattern: patterns[0] }), ...lengthValidation(schema, "minLength", "maxLength") };
}

function lengthValidation(
  schema: { readonly def: { readonly checks?: Checks } },
  least: "minLength" | "minItems",
  most: "maxLength" | "maxItems",
): ValueValidation {
  const validation: ValueValidation = {};
  for (const { _zod } of checksOf(schema)) {
    if (_zod.def.check === "min_length") validation[least] = _zod.def.minimum;
    if (_zod.def.check === "max_length") validation[most] = _zod.def.maximum;
  }
  return validation;
}

function isWhole(schema: z.ZodNumber): boolean {
  return schema.format === "safeint" || schema.format === "int32" || schema.format === "uint32";
}

/** OpenAPI v3.0, as CRDs use it: exclusive limits are a flag beside the limit. */
function numberValidation(schema: z.ZodNumber): ValueValidation {
  const validation: ValueValidation = {};
  for (const { _zod } of checksOf(schema)) {
    if (_zod.def.check === "greater_than") {
      validation.minimum = Number(_zod.def.value);
      if (!_zod.def.inclusive) validation.exclusiveMinimum = true;
    }
    if (_zod.def.check === "less_than") {
      validation.maximum = Number(_zod.def.value);
      if (!_zod.def.inclusive) validation.exclusiveMaximum = true;
    }
    if (_zod.def.check === "multiple_of") validation.multipleOf = Number(_zod.def.value);
  }
  return validation;
}

/** None of the fields (unless one must be there), or exactly one: the form that Istio's own CRDs have. */
function toOneOf({ exactlyOneOf, atMostOneOf }: SchemaHints, path: string): ValueValidation {
  if (exactlyOneOf !== undefined && atMostOneOf !== undefined) throw new Error(`${path}: two rules of one field only`);
  const fields = (exactlyOneOf ?? atMostOneOf ?? []).map((name) => ({ required: [name] }));
  if (fields.length === 0) return {};
  return { oneOf: exactlyOneOf === undefined ? [{ not: { anyOf: fields } }, ...fields] : fields };
}
