// The API server's rules for schemas of CRDs (apiextensions.k8s.io/v1): every reason why it would refuse one. Kubernetes'
// documentation, "Specifying a structural schema", and the validation of apiextensions-apiserver.
import { RE2JS } from "re2js";

type Schema = Readonly<Record<string, unknown>>;

const TYPES = new Set<unknown>(["object", "array", "string", "integer", "number", "boolean"]);
const JUNCTORS = ["allOf", "anyOf", "oneOf"] as const;
/** What may stand at a node, and (the second list) there but not inside allOf, anyOf, oneOf and not. */
const VALIDATIONS = new Set([
  ...["enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  ...["multipleOf", "minItems", "maxItems", "minProperties", "maxProperties", "required", "properties", "items"],
  ...["allOf", "anyOf", "oneOf", "not"],
]);
const OUTSIDE_ONLY = new Set([
  ...["type", "description", "title", "default", "nullable", "additionalProperties", "example", "externalDocs"],
  ...["x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"],
]);

/** @returns `path: what is wrong`; none for a schema that the API server takes. */
export function structuralProblems(root: unknown): string[] {
  const problems: string[] = [];
  const say = (path: string, what: string): void => void problems.push(`${path === "" ? "(root)" : path}: ${what}`);
  if (!isSchema(root)) return ["(root): is no schema"];
  if (root["type"] !== "object") say("", "must be of type object");
  const metadata = (root["properties"] as Schema | undefined)?.["metadata"];
  for (const name of Object.keys((isSchema(metadata) ? (metadata["properties"] as Schema | undefined) : undefined) ?? {}))
    if (name !== "name" && name !== "generateName") say(`metadata.${name}`, "only name and generateName may be restricted");
  checkNode(root, "", say);
  return problems;
}

type Say = (path: string, what: string) => void;

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkNode(schema: Schema, path: string, say: Say): void {
  const type = schema["type"];
  const intOrString = schema["x-kubernetes-int-or-string"] === true;
  const preserve = schema["x-kubernetes-preserve-unknown-fields"];
  if (preserve !== undefined && preserve !== true) say(path, "x-kubernetes-preserve-unknown-fields must be true or absent");
  if (intOrString && type !== undefined) say(path, "int-or-string must have no type");
  if (type === undefined && !intOrString && preserve !== true) say(path, "must have a type");
  if (type !== undefined && !TYPES.has(type)) say(path, `${JSON.stringify(type)} is no type`);
  for (const key of Object.keys(schema)) if (!VALIDATIONS.has(key) && !OUTSIDE_ONLY.has(key)) say(path, `${key} is forbidden`);
  if (schema["nullable"] !== undefined && typeof schema["nullable"] !== "boolean") say(path, "nullable must be true or false");
  if (schema["default"] === null && schema["nullable"] !== true) say(path, "default null needs nullable");
  if (type === "array" && !isSchema(schema["items"])) say(path, "an array must have items, one schema for all");

  const additional = schema["additionalProperties"];
  if (additional === false) say(path, "additionalProperties: false is forbidden");
  if (additional !== undefined && schema["properties"] !== undefined) say(path, "has both properties and additionalProperties");
  if (additional !== undefined && type !== "object") say(path, "additionalProperties belong to objects");
  checkValidation(schema, schema, path, say);
  for (const [name, child] of Object.entries((schema["properties"] as Schema | undefined) ?? {}))
    if (isSchema(child)) checkNode(child, path === "" ? name : `${path}.${name}`, say);
    else say(`${path}.${name}`, "is no schema");
  if (isSchema(schema["items"])) checkNode(schema["items"], `${path}[]`, say);
  if (isSchema(additional)) checkNode(additional, `${path}.*`, say);
}

/** @param outside the node, whose fields those named inside its junctors must be. */
function checkValidation(schema: Schema, outside: Schema, path: string, say: Say): void {
  const { pattern, required, enum: words } = schema;
  if (pattern !== undefined && !compiles(pattern)) say(path, `${JSON.stringify(pattern)} is no pattern of RE2`);
  if (words !== undefined && (!Array.isArray(words) || words.length === 0)) say(path, "enum must have values");
  if (Array.isArray(words) && new Set(words.map((each) => JSON.stringify(each))).size < words.length) say(path, "enum has a value twice");
  if (required !== undefined && (!Array.isArray(required) || required.length === 0)) say(path, "required must name fields");
  for (const name of (required as readonly string[] | undefined) ?? [])
    if ((outside["properties"] as Schema | undefined)?.[name] === undefined) say(path, `required ${name} is no field here`);
  const inner = [
    ...JUNCTORS.flatMap((each) => ((schema[each] as readonly Schema[] | undefined) ?? []).map((child) => [each, child] as const)),
    ...(isSchema(schema["not"]) ? [["not", schema["not"]] as const] : []),
  ];
  for (const [junctor, child] of inner) checkInside(child, outside, `${path}<${junctor}>`, say);
}

function checkInside(schema: Schema, outside: Schema, path: string, say: Say): void {
  const ofIntOrString = outside["x-kubernetes-int-or-string"] === true;
  for (const key of Object.keys(schema))
    if (!VALIDATIONS.has(key) && !(ofIntOrString && key === "type")) say(path, `${key} is forbidden inside allOf, anyOf, oneOf and not`);
  for (const [name, child] of Object.entries((schema["properties"] as Record<string, Schema> | undefined) ?? {})) {
    const target = (outside["properties"] as Record<string, Schema> | undefined)?.[name];
    if (target === undefined) say(`${path}.${name}`, "must be a field outside, too");
    else checkInside(child, target, `${path}.${name}`, say);
  }
  const items = schema["items"];
  if (isSchema(items)) {
    if (isSchema(outside["items"])) checkInside(items, outside["items"], `${path}[]`, say);
    else say(`${path}[]`, "must be items outside, too");
  }
  checkValidation(schema, outside, path, say);
}

function compiles(pattern: unknown): boolean {
  try {
    return typeof pattern === "string" && RE2JS.compile(pattern) !== undefined;
  } catch {
    return false;
  }
}
