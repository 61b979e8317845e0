// What is wrong with an object, in words and with its place.
import type { z } from "zod";
import { formatFieldPath } from "../../common/yaml.ts";
import type { FieldPath } from "../../common/yaml.ts";
import { shorten } from "../../common/shorten.ts";
import { KEY_SEPARATOR } from "../../mesh-api/fields.ts";
import { objectKey } from "./raw-object.ts";
import type { ConfigProblem, RawObject } from "./raw-object.ts";

/** Of a field's path, and of what is wrong with it: both may hold what somebody wrote. */
const MAX_TEXT_CHARS = 500;

export interface Refusal {
  readonly ok: false;
  readonly problems: readonly ConfigProblem[];
}

export function refusal(raw: RawObject, path: FieldPath, message: string): Refusal {
  return { ok: false, problems: [problemAt(raw, path, message)] };
}

export function problemAt(raw: RawObject, path: FieldPath, message: string): ConfigProblem {
  const place = { file: raw.origin.file, ...raw.origin.locate(path), object: objectKey(raw) };
  return { ...place, field: shorten(formatFieldPath(path), MAX_TEXT_CHARS), message: shorten(message, MAX_TEXT_CHARS) };
}

export function toProblems(raw: RawObject, error: z.ZodError, prefix: FieldPath): ConfigProblem[] {
  return error.issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path.filter((each) => typeof each !== "symbol")];
    if (issue.code === "unrecognized_keys") {
      const messages = issue.message.split(KEY_SEPARATOR);
      return issue.keys.map((key, index) => problemAt(raw, [...path, key], messages[index] ?? "unknown field"));
    }
    if (issue.code === "invalid_key") {
      return [problemAt(raw, path, issue.issues.map((each) => each.message).join("; "))];
    }
    return [problemAt(raw, path, toMessage(issue.message))];
  });
}

/** zod's own words for a wrong type, in ours. */
function toMessage(message: string): string {
  if (/received undefined$/.test(message)) return "is required";
  return message.replace(/^Invalid input: expected (\w+), received (\w+)$/, "must be of type $1, not $2");
}

/** Kubernetes takes a field that is null for an absent one. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, member]) => (member === null ? [] : [[key, withoutNulls(member)]])));
}
