// The JSON of one configuration resource out of its wire bytes, as Envoy prints it: snake case, nested Anys expanded
// with "@type" first, secrets redacted. A type that we don't know stays opaque instead of spoiling the whole dump.
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import type { MessageShape, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { AnySchema, StructSchema } from "@bufbuild/protobuf/wkt";
import type { Any } from "@bufbuild/protobuf/wkt";
import { configDumpTypes } from "./config-dump-types.ts";

const REDACTED = "[redacted]";
// Message fields that Envoy's API marks as sensitive, by their names in JSON.
const SENSITIVE = new Set([
  "private_key",
  "password",
  "private_key_provider",
  "session_ticket_keys",
  "generic_secret",
  "inline_code_secret",
]);

/** An Any as JSON; `{}` with its type when the bytes can't be read. */
export function anyJson(typeUrl: string, bytes: Uint8Array): JsonObject {
  const schema = configDumpTypes().getMessage(typeNameOf(typeUrl));
  if (schema === undefined) return opaque(typeUrl, bytes);
  try {
    return { "@type": typeUrl, ...(messageJson(schema, fromBinary(schema, bytes)) as JsonObject) };
  } catch {
    return opaque(typeUrl, bytes);
  }
}

export function messageJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  hideUnknownTypes(reflect(schema, message));
  const json = toJson(schema as DescMessage, message, { registry: configDumpTypes(), useProtoFieldName: true });
  return tidy(json, false);
}

function opaque(typeUrl: string, bytes: Uint8Array): JsonObject {
  return { "@type": typeUrl, value: Buffer.from(bytes).toString("base64") };
}

function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

/** Replaces every Any that toJson would throw on, at any depth, by a Struct that says what it is. */
function hideUnknownTypes(message: ReflectMessage): void {
  if (message.desc.typeName === AnySchema.typeName) return hideUnknownType(message.message as Any);
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "message") hideUnknownTypes(message.get(field));
    else if (field.fieldKind === "list" && field.listKind === "message")
      for (const item of message.get(field)) hideUnknownTypes(item as ReflectMessage);
    else if (field.fieldKind === "map" && field.mapKind === "message") {
      for (const item of message.get(field).values()) hideUnknownTypes(item as ReflectMessage);
    }
  }
}

function hideUnknownType(any: Any): void {
  if (any.typeUrl === "") return;
  const schema = configDumpTypes().getMessage(typeNameOf(any.typeUrl));
  if (schema !== undefined) {
    const inner = fromBinary(schema, any.value);
    hideUnknownTypes(reflect(schema, inner));
    any.value = toBinary(schema, inner);
    return;
  }
  const text = (value: string) => ({ kind: { case: "stringValue" as const, value } });
  const fields = { type_url: text(any.typeUrl), value: text(Buffer.from(any.value).toString("base64")) };
  any.value = toBinary(StructSchema, create(StructSchema, { fields }));
  any.typeUrl = `type.googleapis.com/${StructSchema.typeName}`;
}

/** Moves "@type" to the front and redacts texts below sensitive fields. */
function tidy(json: JsonValue, sensitive: boolean): JsonValue {
  if (typeof json === "string") return sensitive ? REDACTED : json;
  if (Array.isArray(json)) return json.map((item) => tidy(item, sensitive));
  if (json === null || typeof json !== "object") return json;
  const result: JsonObject = {};
  if (json["@type"] !== undefined) result["@type"] = json["@type"];
  for (const [key, value] of Object.entries(json)) {
    if (key === "@type") continue;
    // Bytes are base64 in JSON, also those of the word that stands for them.
    if (sensitive && key === "inline_bytes") result[key] = Buffer.from(REDACTED).toString("base64");
    else result[key] = tidy(value, sensitive || SENSITIVE.has(key));
  }
  return result;
}
