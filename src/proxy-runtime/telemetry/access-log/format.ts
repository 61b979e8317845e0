// Compiles an access log format once, into a function from a finished stream to one line.
import type { Problem } from "../../../common/result.ts";
import type { JsonFormat } from "../../config/access-log-config.ts";
import type { StreamInfo } from "../stream-info.ts";
import { parseFormat } from "./format-parser.ts";
import type { Command } from "./format-parser.ts";
import { OPERATORS } from "./operators.ts";
import type { Extractor, Value } from "./operators.ts";

/** Envoy's format where none is configured. */
export const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

export type LineFormat = (info: StreamInfo) => string;
type Part = string | Extractor;

/** Problems of a text format; empty for a good one. Paths are empty: the decoder knows where the text stands. */
export function validateFormat(text: string): Problem[] {
  const compiled = compileParts(text);
  return Array.isArray(compiled) ? [] : [{ path: "", message: compiled.problem }];
}

/** Problems of a JSON format, with the field's path inside it. */
export function validateJsonFormat(json: JsonFormat, path = ""): Problem[] {
  if (typeof json === "string") return validateFormat(json).map(({ message }) => ({ path, message }));
  if (json === null || typeof json !== "object") return [];
  if (Array.isArray(json)) return json.flatMap((each: JsonFormat, index) => validateJsonFormat(each, `${path}[${index}]`));
  return Object.entries(json as { readonly [key: string]: JsonFormat }).flatMap(([key, each]) =>
    validateJsonFormat(each, path === "" ? key : `${path}.${key}`),
  );
}

/** Text as it stands, operators replaced, `-` for what is missing. Throws on a format that validateFormat refuses. */
export function compileText(text: string): LineFormat {
  const parts = goodParts(text);
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
  const parts = goodParts(text);
  const [only] = parts;
  if (parts.length === 1 && typeof only === "function") return (info) => JSON.stringify(only(info) ?? null);
  const render = compileText(text);
  return (info) => JSON.stringify(render(info));
}

function goodParts(text: string): readonly Part[] {
  const compiled = compileParts(text);
  if (!Array.isArray(compiled)) throw new Error(`access log format: ${(compiled as { problem: string }).problem}`);
  return compiled as Part[];
}

function compileParts(text: string): Part[] | { readonly problem: string } {
  const { parts, problem } = parseFormat(text);
  if (problem !== undefined) return { problem };
  const compiled: Part[] = [];
  for (const part of parts) {
    const result = typeof part === "string" ? part : compileCommand(part);
    if (typeof result === "object") return result;
    compiled.push(result);
  }
  return compiled;
}

function compileCommand({ name, argument, maxLength }: Command): Extractor | { readonly problem: string } {
  const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (operator === undefined) return { problem: `the command operator %${name}% is not supported` };
  const extract = operator(argument ?? "");
  if (typeof extract === "object") return { problem: `%${name}% ${extract.problem}` };
  return maxLength === undefined ? extract : (info) => truncated(extract(info), maxLength);
}

function truncated(value: Value, maxLength: number): Value {
  return value === undefined ? undefined : String(value).slice(0, maxLength);
}
