// What the API server says of an object whose CRD has this schema: wrong values, and the fields that it would drop.
import { isDeepStrictEqual } from "node:util";
import { RE2JS } from "re2js";

type Schema = Readonly<Record<string, unknown>>;

const KNOWN = new Set([
  ...["type", "description", "nullable", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"],
  ...["minItems", "maxItems", "required", "properties", "items", "additionalProperties", "anyOf", "oneOf", "not"],
  ...["x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"],
]);

/** @returns `spec.http[0].timeout: what is wrong`; an object that is taken as it is has none. */
export function schemaProblems(value: unknown, schema: unknown, path: string = ""): string[] {
  const node = schema as Schema;
  for (const key of Object.keys(node)) if (!KNOWN.has(key)) throw new Error(`${path}: this validator knows no ${key}`);
  const problems: string[] = [];
  const say = (what: string): void => void problems.push(`${path === "" ? "(root)" : path}: ${what}`);
  if (value === null && node["nullable"] === true) return [];
  if (!isOfType(value, node))
    return [`${path === "" ? "(root)" : path}: is no ${typeof node["type"] === "string" ? node["type"] : "integer or string"}`];
  checkValue(value, node, say);
  if (Array.isArray(value)) {
    value.forEach((each, index) => problems.push(...schemaProblems(each, node["items"] ?? {}, `${path}[${index}]`)));
  } else if (typeof value === "object" && value !== null) {
    problems.push(...memberProblems(withoutNulls(value as Schema, node), node, path));
  }
  return problems;
}

function isOfType(value: unknown, schema: Schema): boolean {
  if (schema["x-kubernetes-int-or-string"] === true) return Number.isInteger(value) || typeof value === "string";
  switch (schema["type"]) {
    case undefined:
      return true;
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === schema["type"];
  }
}

/** The API server drops a null where the field is not nullable, before it looks. */
function withoutNulls(value: Schema, schema: Schema): Schema {
  const fields = (schema["properties"] as Record<string, Schema> | undefined) ?? {};
  return Object.fromEntries(Object.entries(value).filter(([name, each]) => each !== null || fields[name]?.["nullable"] === true));
}

function memberProblems(value: Schema, schema: Schema, path: string): string[] {
  const fields = (schema["properties"] as Schema | undefined) ?? {};
  const others = schema["additionalProperties"];
  const keepsUnknown = schema["x-kubernetes-preserve-unknown-fields"] === true || schema["type"] === undefined;
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`);
  const missing = ((schema["required"] as readonly string[] | undefined) ?? []).filter((name) => !Object.hasOwn(value, name));
  return [
    ...missing.map((name) => `${at(name)}: is required`),
    ...Object.entries(value).flatMap(([name, each]) => {
      const child = fields[name] ?? others;
      if (child !== undefined) return schemaProblems(each, child, at(name));
      return keepsUnknown ? [] : [`${at(name)}: is dropped`];
    }),
  ];
}

interface Rules {
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
}

function checkValue(value: unknown, schema: Schema, say: (what: string) => void): void {
  const limit = (name: string): number | undefined => schema[name] as number | undefined;
  const { enum: words, anyOf, oneOf, not, pattern } = schema as Rules;
  if (words !== undefined && !words.some((each) => isDeepStrictEqual(each, value))) say(`is none of ${words.map(String).join(", ")}`);
  if (typeof value === "string") {
    // Go searches; RE2JS's matches() wants the whole text.
    if (pattern !== undefined && !RE2JS.compile(pattern).matcher(value).find()) say(`does not match ${pattern}`);
    const { length } = [...value];
    if (length < (limit("minLength") ?? 0) || length > (limit("maxLength") ?? Infinity)) say(`has ${length} characters`);
  }
  if (typeof value === "number" && (value < (limit("minimum") ?? -Infinity) || value > (limit("maximum") ?? Infinity)))
    say(`${value} is out of range`);
  if (Array.isArray(value) && (value.length < (limit("minItems") ?? 0) || value.length > (limit("maxItems") ?? Infinity)))
    say(`has ${value.length} items`);
  const holds = (each: Schema): boolean => schemaProblems(value, { "x-kubernetes-preserve-unknown-fields": true, ...each }).length === 0;
  if (anyOf !== undefined && !anyOf.some(holds)) say("fits none of anyOf");
  if (oneOf !== undefined && oneOf.filter(holds).length !== 1) say(`fits ${oneOf.filter(holds).length} of oneOf`);
  if (not !== undefined && holds(not)) say("fits what it must not be");
}
