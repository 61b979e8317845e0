// Bootstrap text → protobuf message. The protobuf runtime stops at the first mistake and does not say where it stands; so
// each field is tried by itself first, to find every mistake with its path. Loaded for --bootstrap only.
import { createRegistry, fromJson } from "@bufbuild/protobuf";
import type { DescField, DescMessage, JsonObject, JsonValue, Registry } from "@bufbuild/protobuf";
import type { Problem, Result } from "../../common/result.ts";
import { failure, success } from "../../common/result.ts";
import type { Bootstrap } from "../../xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { BootstrapSchema } from "../../xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { FileAccessLogSchema } from "../../xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts";
import { StderrAccessLogSchema, StdoutAccessLogSchema } from "../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts";
import { BufferSchema } from "../../xds/gen/envoy/extensions/filters/http/buffer/v3/buffer_pb.ts";
import { RouterSchema } from "../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import { HttpInspectorSchema } from "../../xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
import { OriginalDstSchema } from "../../xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts";
import { TlsInspectorSchema } from "../../xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts";
import { HttpConnectionManagerSchema } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { TcpProxySchema } from "../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import { PreserveCaseFormatterConfigSchema } from "../../xds/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts";
import { PreviousHostsPredicateSchema } from "../../xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts";
import { RawBufferSchema } from "../../xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts";
import { DownstreamTlsContextSchema, UpstreamTlsContextSchema } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { HttpProtocolOptionsSchema } from "../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import { join } from "./decoding.ts";

const EXTENSIONS: readonly DescMessage[] = [
  BufferSchema,
  DownstreamTlsContextSchema,
  FileAccessLogSchema,
  HttpConnectionManagerSchema,
  HttpInspectorSchema,
  HttpProtocolOptionsSchema,
  OriginalDstSchema,
  PreserveCaseFormatterConfigSchema,
  PreviousHostsPredicateSchema,
  RawBufferSchema,
  RouterSchema,
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
  TcpProxySchema,
  TlsInspectorSchema,
  UpstreamTlsContextSchema,
];

/** The messages that may stand in an Any. */
export const EXTENSION_REGISTRY: Registry = createRegistry(...EXTENSIONS);

const ANY = "google.protobuf.Any";
const DURATION = "google.protobuf.Duration";
// protobuf-es 2.17 overlooks what stands behind the unit, and reads "5sec" or "1s30m".
const DURATION_TEXT = /^-?\d+(?:\.\d{1,9})?s$/;

/** @returns the message, or every unknown field, unknown extension and wrong value with its path. */
export function bootstrapFromJson(json: JsonValue): Result<Bootstrap> {
  const problems: Problem[] = [];
  explain(BootstrapSchema, json, "", problems);
  if (problems.length > 0) return failure(problems);
  try {
    return success(fromJson(BootstrapSchema, json, { registry: EXTENSION_REGISTRY }));
  } catch (error) {
    return failure([{ path: "", message: reason(error) }]);
  }
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function explain(schema: DescMessage, json: JsonValue, path: string, problems: Problem[]): void {
  if (schema.typeName === ANY) return explainAny(json, path, problems);
  if (schema.typeName.startsWith("google.protobuf.") || !isObject(json)) {
    try {
      fromJson(schema, json);
      if (schema.typeName === DURATION && !DURATION_TEXT.test(json as string)) throw new Error("more than a duration");
    } catch (error) {
      problems.push({ path, message: whyNot(schema, json, error) });
    }
    return;
  }
  for (const [key, value] of Object.entries(json)) {
    if (key === "@type" && path !== "") continue;
    const field = schema.fields.find((each) => each.name === key || each.jsonName === key);
    if (field === undefined) problems.push({ path: join(path, key), message: `unknown field of ${schema.typeName}` });
    else if (value !== null) explainField(schema, field, value, join(path, key), problems);
  }
  explainOneofs(schema, json, path, problems);
}

/** Two members of one group: the runtime refuses them, each by itself is fine. */
function explainOneofs(schema: DescMessage, json: JsonObject, path: string, problems: Problem[]): void {
  for (const oneof of schema.oneofs) {
    const set = oneof.fields.filter((field) => (json[field.name] ?? json[field.jsonName] ?? null) !== null);
    if (set.length > 1) problems.push({ path, message: `only one of ${set.map((each) => each.name).join(", ")} may be set` });
  }
}

function explainField(schema: DescMessage, field: DescField, value: JsonValue, path: string, problems: Problem[]): void {
  const message = field.message;
  if (field.fieldKind === "list" && Array.isArray(value) && message !== undefined) {
    value.forEach((item, index) => explain(message, item, `${path}[${index}]`, problems));
  } else if (field.fieldKind === "map" && isObject(value) && message !== undefined) {
    for (const [key, item] of Object.entries(value)) explain(message, item, `${path}[${JSON.stringify(key)}]`, problems);
  } else if (field.fieldKind === "message") {
    explain(field.message, value, path, problems);
  } else {
    try {
      fromJson(schema, { [field.jsonName]: value });
    } catch (error) {
      const names = field.enum?.values.map((each) => each.name).join(", ");
      problems.push({ path, message: names === undefined ? reason(error) : `must be one of ${names}, not ${JSON.stringify(value)}` });
    }
  }
}

function whyNot(schema: DescMessage, json: JsonValue, error: unknown): string {
  if (schema.typeName === DURATION) return `must be a duration in seconds such as "5s" or "0.25s", not ${describe(json)}`;
  // Wrappers, whose message says what was expected.
  if (schema.typeName.startsWith("google.protobuf.")) return reason(error);
  return `must be an object, not ${describe(json)}`;
}

function explainAny(json: JsonValue, path: string, problems: Problem[]): void {
  const type = isObject(json) ? json["@type"] : undefined;
  if (!isObject(json) || typeof type !== "string" || type === "") {
    problems.push({
      path: join(path, "@type"),
      message: "missing; it names the extension, such as type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
    });
    return;
  }
  const schema = EXTENSION_REGISTRY.getMessage(type.slice(type.lastIndexOf("/") + 1));
  if (schema === undefined) {
    const names = EXTENSIONS.map((each) => each.name).join(", ");
    problems.push({ path, message: `unknown extension ${type}; meshctl supports ${names}` });
    return;
  }
  const { "@type": _, ...fields } = json;
  explain(schema, fields, path, problems);
}

/** The runtime's words without the field, which the path names already. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^cannot decode (?:\w+ )?\S+ from JSON: /, "");
}

function describe(json: JsonValue): string {
  return Array.isArray(json) ? "a list" : isObject(json) ? "an object" : JSON.stringify(json);
}
