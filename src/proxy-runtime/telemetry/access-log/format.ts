// Compiles an access log format once, into a function from a finished stream to one line.
import type { JsonFormat } from "../../config/access-log-config.ts";
import { parseFormat } from "../../config/command-operators.ts";
import type { FormatPart } from "../../config/command-operators.ts";
import type { StreamInfo } from "../stream-info.ts";
import { OPERATORS } from "./operators.ts";
import type { Extractor, Value } from "./operators.ts";

/** Envoy's format where none is configured. */
export const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

export type LineFormat = (info: StreamInfo) => string;
type Part = string | Extractor;

/** Text as it stands, operators replaced, `-` for what is missing. The format has passed the decoder. */
export function compileText(text: string): LineFormat {
  const parts = compileParts(text);
  return (info) => {
    let line = "";
    for (const part of parts) line += typeof part === "string" ? part : (part(info) ?? "-");
    return line;
  };
}

/** One JSON object and a line feed. A leaf that is one operator alone keeps its type: numbers, null for what is missing. */
export function compileJson(json: JsonFormat): LineFormat {
  const render = compileNode(json);
  return (info) => `${render(info)}\n`;
}

function compileNode(json: JsonFormat): LineFormat {
  if (typeof json === "string") return compileLeaf(json);
  if (json === null || typeof json !== "object") {
    const constant = JSON.stringify(json);
    return () => constant;
  }
  if (Array.isArray(json)) {
    const items = json.map((each: JsonFormat) => compileNode(each));
    return (info) => `[${items.map((item) => item(info)).join(",")}]`;
  }
  const members = Object.entries(json as { readonly [key: string]: JsonFormat }).map(
    ([key, each]) => [`${JSON.stringify(key)}:`, compileNode(each)] as const,
  );
  return (info) => `{${members.map(([key, member]) => key + member(info)).join(",")}}`;
}

function compileLeaf(text: string): LineFormat {
  const parts = compileParts(text);
  const [only] = parts;
  if (parts.length === 1 && typeof only === "function") return (info) => JSON.stringify(only(info) ?? null);
  const render = compileText(text);
  return (info) => JSON.stringify(render(info));
}

function compileParts(text: string): readonly Part[] {
  const format = parseFormat(text, "access-log");
  if ("error" in format) throw new Error(`access log format: ${format.error}`);
  return format.parts.map(compilePart);
}

function compilePart(part: FormatPart): Part {
  if (part.kind === "literal") return part.text;
  const { name, argument, maxLength } = part;
  const extract = OPERATORS[name]!(argument ?? "");
  return maxLength === undefined ? extract : (info) => truncated(extract(info), maxLength);
}

function truncated(value: Value, maxLength: number): Value {
  return value === undefined ? undefined : String(value).slice(0, maxLength);
}
