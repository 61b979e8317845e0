// Envoy's configuration as JSON, read without its types: a dump of any Envoy, with extensions that we don't know, must
// print. Field names are brought to proto3 JSON's camelCase, which istioctl prints and people's jq scripts expect.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

// Fields whose keys are data (google.protobuf.Struct, map<string, …>) and stay as they are.
const FREE_FORM = new Set([
  "filterMetadata",
  "typedFilterMetadata",
  "staticLayer",
  "jsonFormat",
  "typedJsonFormat",
  "typedPerFilterConfig",
]);

/** Renames snake_case fields to camelCase, except inside free-form data. */
export function toCamelCase(value: Json, parent = ""): Json {
  if (isList(value)) return value.map((each) => toCamelCase(each, parent));
  if (!isObject(value)) return value;
  const isStruct = typeof value["@type"] === "string" && /\.(TypedStruct|Struct)$/.test(value["@type"]);
  const result: Record<string, Json> = {};
  for (const [key, member] of Object.entries(value)) {
    const name = camel(key);
    const isFree = FREE_FORM.has(name) || (parent === "node" && name === "metadata") || (isStruct && name === "value");
    result[name] = isFree ? (member ?? null) : toCamelCase(member ?? null, name);
  }
  return result;
}

function camel(key: string): string {
  return /^[a-z][a-z0-9]*(_[a-z0-9]+)+$/.test(key) ? key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) : key;
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at a path; undefined where something on the way is missing. */
export function field(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let current = value;
  for (const key of path) {
    if (!isObject(current)) return undefined;
    current = current[key];
  }
  return current;
}

/** Text at a path; numbers as text, everything else as "". */
export function text(value: Json | undefined, ...path: readonly string[]): string {
  const found = field(value, ...path);
  return typeof found === "string" ? found : typeof found === "number" ? String(found) : "";
}

export function items(value: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = field(value, ...path);
  return isList(found) ? found : [];
}

/** uint64 and int64 come as text in proto3 JSON. */
export function count(value: Json | undefined, ...path: readonly string[]): number {
  const found = field(value, ...path);
  return typeof found === "number" ? found : typeof found === "string" && found !== "" ? Number(found) : 0;
}

export interface SocketAddress {
  /** IP address, path of a unix socket, or the name of an internal listener. */
  readonly address: string;
  readonly port: number;
  readonly kind: "socket" | "pipe" | "internal";
}

/** envoy.config.core.v3.Address. */
export function readAddress(value: Json | undefined): SocketAddress {
  const pipe = text(value, "pipe", "path");
  if (pipe !== "") return { address: pipe, port: 0, kind: "pipe" };
  const internal = field(value, "envoyInternalAddress");
  if (internal !== undefined) {
    const id = text(internal, "endpointId");
    return { address: text(internal, "serverListenerName") + (id === "" ? "" : `/${id}`), port: 0, kind: "internal" };
  }
  return { address: text(value, "socketAddress", "address"), port: count(value, "socketAddress", "portValue"), kind: "socket" };
}

/** `name.namespace` of the object that a resource was made from, as its metadata `istio.config` says; "" where it doesn't. */
export function describeOrigin(metadata: Json | undefined): string {
  const config = text(metadata, "filterMetadata", "istio", "config");
  // /apis/networking.istio.io/v1/namespaces/<namespace>/<kind>/<name>
  const parts = config.split("/");
  return parts.length >= 8 && parts[4] === "namespaces" ? `${parts[7]}.${parts[5]}` : config;
}

/** As `sort` wants it: by each key in turn, numbers by size, texts by code unit. */
export function compareKeys(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index]!;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
