// Several schemas for one value → one structural schema: the fields of all, and each alternative's restrictions as a
// value validation beside them.
import { isDeepStrictEqual } from "node:util";
import type { StructuralSchema, ValueValidation } from "./open-api-schema.ts";

/** @throws Error when no structural schema holds them all, such as for a string or a list. */
export function joinAlternatives(schemas: readonly StructuralSchema[], path: string): StructuralSchema {
  const [first, ...others] = schemas;
  if (first === undefined) throw new Error(`${path}: no alternative`);
  if (others.every((each) => isDeepStrictEqual(each, first))) return first;
  const description = schemas.find((each) => each.description !== undefined)?.description;
  return {
    ...(description === undefined ? {} : { description }),
    ...join(schemas, path),
    ...(schemas.some((each) => each.nullable === true) ? { nullable: true } : {}),
  };
}

function join(schemas: readonly StructuralSchema[], path: string): StructuralSchema {
  const types = new Set(schemas.map((each) => each.type));
  const [type] = types;
  if (types.size === 1 && type === "object" && schemas.every((each) => each.additionalProperties === undefined))
    return joinObjects(schemas, path);
  if (types.size === 1 && type !== undefined && type !== "array" && type !== "object") return joinScalars(type, schemas);
  if (types.size === 2 && types.has("integer") && types.has("string")) return joinIntOrString(schemas, path);
  throw new Error(`${path}: ${[...types].map(String).join(" or ")} has no structural schema`);
}

function joinScalars(type: StructuralSchema["type"], schemas: readonly StructuralSchema[]): StructuralSchema {
  const validations = schemas.map(toValueValidation);
  if (validations.every((each) => Object.keys(each).join() === "enum"))
    return { type, enum: [...new Set(validations.flatMap((each) => each.enum ?? []))] };
  return { type, ...anyOf(validations) };
}

/** Limits speak of numbers and patterns of strings, so both can stand on the one node. */
function joinIntOrString(schemas: readonly StructuralSchema[], path: string): StructuralSchema {
  const validations = schemas.map(toValueValidation);
  const names = validations.flatMap((each) => Object.keys(each));
  if (schemas.length !== 2 || names.includes("enum") || names.includes("anyOf"))
    throw new Error(`${path}: an int-or-string with enumerated values or more than two alternatives`);
  return { "x-kubernetes-int-or-string": true, ...validations[0], ...validations[1] };
}

function joinObjects(schemas: readonly StructuralSchema[], path: string): StructuralSchema {
  const names = new Set(schemas.flatMap((each) => Object.keys(each.properties ?? {})));
  const properties = Object.fromEntries(
    [...names].map((name) => {
      const variants = schemas.flatMap((each) => each.properties?.[name] ?? []);
      return [name, joinAlternatives(variants, `${path}.${name}`)];
    }),
  );
  const required = (schemas[0]?.required ?? []).filter((name) => schemas.every((each) => each.required?.includes(name) === true));
  return {
    type: "object",
    properties,
    ...(required.length === 0 ? {} : { required }),
    ...anyOf(schemas.map(toValueValidation)),
    "x-kubernetes-preserve-unknown-fields": true,
  };
}

/** An alternative without restrictions makes all of them void. */
function anyOf(validations: readonly ValueValidation[]): ValueValidation {
  return validations.some((each) => Object.keys(each).length === 0) ? {} : { anyOf: validations };
}

/** Only what may stand inside anyOf: no types, descriptions, nullable or extensions, at any depth. */
function toValueValidation(schema: StructuralSchema): ValueValidation {
  const { description, type, nullable, properties, items, additionalProperties, ...rest } = schema;
  void [description, type, nullable, additionalProperties];
  delete rest["x-kubernetes-preserve-unknown-fields"];
  delete rest["x-kubernetes-int-or-string"];
  const validation: ValueValidation = rest;
  const fields = Object.entries(properties ?? {})
    .map(([name, each]) => [name, toValueValidation(each)] as const)
    .filter(([, each]) => Object.keys(each).length > 0);
  if (fields.length > 0) validation.properties = Object.fromEntries(fields);
  const element = items === undefined ? {} : toValueValidation(items);
  if (Object.keys(element).length > 0) validation.items = element;
  return validation;
}
