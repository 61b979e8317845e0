// Envoy's command operators (`%NAME(argument):length%`) in header values and access log formats: which ones the proxy
// knows, and the one parser of such texts. What they evaluate to is the business of whoever writes the header or the line.

import { ACCESS_LOG_OPERATORS, checkTime } from "./access-log-operators.ts";
import type { Argument } from "./access-log-operators.ts";

export type FormatPart =
  | { readonly kind: "literal"; readonly text: string }
  /** `argument` is what stands in parentheses; `maxLength` cuts the result. */
  | { readonly kind: "operator"; readonly name: string; readonly argument: string | undefined; readonly maxLength: number | undefined };

export type FormatUse = "header" | "access-log";

/** Known in header values. */
export const HEADER_OPERATORS: Readonly<Record<string, Argument>> = {
  DOWNSTREAM_REMOTE_ADDRESS: "none",
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: "none",
  DOWNSTREAM_REMOTE_PORT: "none",
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: "none",
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: "none",
  DOWNSTREAM_LOCAL_ADDRESS: "none",
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: "none",
  DOWNSTREAM_LOCAL_PORT: "none",
  PROTOCOL: "none",
  REQ: "required",
  UPSTREAM_HOST: "none",
  HOSTNAME: "none",
  START_TIME: checkTime,
};

const OPERATOR = /%%|%([A-Z0-9_]+)(?:\(([^)]*)\))?(?::(\d+))?%|%/g;

/** Parts of a format, or what is wrong with it. */
export function parseFormat(text: string, use: FormatUse): { readonly parts: readonly FormatPart[] } | { readonly error: string } {
  const operators = use === "header" ? HEADER_OPERATORS : ACCESS_LOG_OPERATORS;
  const parts: FormatPart[] = [];
  let literal = "";
  let end = 0;
  for (const match of text.matchAll(OPERATOR)) {
    literal += text.slice(end, match.index);
    end = match.index + match[0].length;
    if (match[0] === "%%") {
      literal += "%";
      continue;
    }
    const name = match[1];
    if (name === undefined) return { error: `a lone % at position ${match.index}; write %% for a percent sign` };
    const takes = Object.hasOwn(operators, name) ? operators[name] : undefined;
    if (takes === undefined)
      return { error: `not supported: command operator %${name}%; meshctl knows ${Object.keys(operators).join(", ")}` };
    if (takes === "required" && (match[2] ?? "") === "") return { error: `%${name}% needs a header name: %${name}(x-example)%` };
    if (takes === "none" && match[2] !== undefined) return { error: `%${name}% takes no argument` };
    const problem = typeof takes === "function" ? takes(match[2] ?? "") : undefined;
    if (problem !== undefined) return { error: `%${name}% ${problem}` };
    if (literal !== "") parts.push({ kind: "literal", text: literal });
    literal = "";
    parts.push({ kind: "operator", name, argument: match[2], maxLength: match[3] === undefined ? undefined : Number(match[3]) });
  }
  literal += text.slice(end);
  if (literal !== "") parts.push({ kind: "literal", text: literal });
  return { parts };
}
