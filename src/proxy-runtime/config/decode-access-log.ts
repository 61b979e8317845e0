// Envoy's access loggers file, stdout and stderr → AccessLogConfig.
import type { JsonObject } from "@bufbuild/protobuf";
import type { AccessLog } from "../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import { AccessLogSchema } from "../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import type { SubstitutionFormatString } from "../../xds/gen/envoy/config/core/v3/substitution_format_string_pb.ts";
import { SubstitutionFormatStringSchema } from "../../xds/gen/envoy/config/core/v3/substitution_format_string_pb.ts";
import { FileAccessLogSchema } from "../../xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts";
import { StderrAccessLogSchema, StdoutAccessLogSchema } from "../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts";
import type { AccessLogConfig, JsonFormat } from "./access-log-config.ts";
import { parseFormat } from "./command-operators.ts";
import { dataSource } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";

const ACCESS_LOG = fieldRules(AccessLogSchema, ["typed_config"], { name: "only a label; the type decides" });
const FORMAT = fieldRules(SubstitutionFormatStringSchema, ["text_format", "json_format", "text_format_source"], {
  content_type: "for local replies only",
  json_format_options: "order of the keys, which a reader of JSON may not rely on",
});
const FORMATS =
  "envoy.extensions.access_loggers.file.v3.FileAccessLog, envoy.extensions.access_loggers.stream.v3.StdoutAccessLog and StderrAccessLog";

type Format = AccessLogConfig["format"];

export function decodeAccessLogs(decoding: Decoding, logs: readonly AccessLog[], path: string): readonly AccessLogConfig[] {
  return logs.flatMap((log, index) => decodeAccessLog(decoding, log, `${path}[${index}]`) ?? []);
}

function decodeAccessLog(decoding: Decoding, log: AccessLog, path: string): AccessLogConfig | undefined {
  decoding.check(ACCESS_LOG, log, path);
  const any = log.configType.case === "typedConfig" ? log.configType.value : undefined;
  const inner = join(path, "typed_config");
  const name = any === undefined ? "" : typeName(any);
  if (name === StdoutAccessLogSchema.typeName || name === StderrAccessLogSchema.typeName) {
    const isStdout = name === StdoutAccessLogSchema.typeName;
    const stream = decoding.unpack(any, isStdout ? StdoutAccessLogSchema : StderrAccessLogSchema, inner, FORMATS);
    if (stream === undefined) return undefined;
    const format = stream.accessLogFormat.case === "logFormat" ? stream.accessLogFormat.value : undefined;
    return { path: isStdout ? "/dev/stdout" : "/dev/stderr", format: decodeFormat(decoding, format, join(inner, "log_format")) };
  }
  const file = decoding.unpack(any, FileAccessLogSchema, inner, FORMATS);
  if (file === undefined) return undefined;
  if (file.path === "") decoding.problem(join(inner, "path"), "missing");
  const format = file.accessLogFormat;
  switch (format.case) {
    case "logFormat":
      return { path: file.path, format: decodeFormat(decoding, format.value, join(inner, "log_format")) };
    case "format":
      return { path: file.path, format: textFormat(decoding, format.value, join(inner, "format")) };
    case "jsonFormat":
      return { path: file.path, format: jsonFormat(decoding, format.value, join(inner, "json_format")) };
    case "typedJsonFormat":
      return { path: file.path, format: jsonFormat(decoding, format.value, join(inner, "typed_json_format")) };
    default:
      return { path: file.path, format: undefined };
  }
}

function decodeFormat(decoding: Decoding, format: SubstitutionFormatString | undefined, path: string): Format {
  if (format === undefined) return undefined;
  decoding.check(FORMAT, format, path);
  switch (format.format.case) {
    case "textFormat":
      return textFormat(decoding, format.format.value, join(path, "text_format"));
    case "textFormatSource": {
      const inner = join(path, "text_format_source");
      return textFormat(decoding, dataSource(decoding, format.format.value, inner) ?? "", inner);
    }
    case "jsonFormat":
      return jsonFormat(decoding, format.format.value, join(path, "json_format"));
    default:
      decoding.problem(path, "needs one of text_format_source, text_format, json_format");
      return undefined;
  }
}

function textFormat(decoding: Decoding, text: string, path: string): Format {
  checkFormat(decoding, text, path);
  // Envoy: an empty format is the default one.
  return text === "" ? undefined : { kind: "text", text };
}

function jsonFormat(decoding: Decoding, json: JsonObject, path: string): Format {
  checkJson(decoding, json, path);
  return { kind: "json", json };
}

function checkJson(decoding: Decoding, value: JsonFormat, path: string): void {
  if (typeof value === "string") checkFormat(decoding, value, path);
  else if (Array.isArray(value)) value.forEach((item: JsonFormat, index) => checkJson(decoding, item, `${path}[${index}]`));
  else if (value !== null && typeof value === "object") {
    for (const [key, item] of Object.entries(value)) checkJson(decoding, item, join(path, key));
  }
}

function checkFormat(decoding: Decoding, text: string, path: string): void {
  const format = parseFormat(text, "access-log");
  if ("error" in format) decoding.problem(path, format.error);
}
