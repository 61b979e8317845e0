// The pieces that schemas of mesh objects are made of. Objects are strict: a field that Istio has and we don't act on
// yet is said to be unsupported, one that nobody has is unknown; neither is ever silently ignored.
import { RE2JS } from "re2js";
import { z } from "zod";
import { closestWord } from "../common/closest-word.ts";
import { parseDurationMs } from "../common/duration.ts";

/** One line per unknown key, in the order of the issue's keys; `toProblems` takes it apart again. */
export const KEY_SEPARATOR = "\n";

/** A strict object: unknown keys are problems that suggest the nearest known one. */
export function struct<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return undefined;
      return issue.keys.map((key) => describeUnknown(key, known)).join(KEY_SEPARATOR);
    },
  });
}

function describeUnknown(key: string, known: readonly string[]): string {
  const guess = closestWord(key, known);
  return guess === undefined ? "unknown field" : `unknown field; did you mean "${guess}"?`;
}

/** A field of Istio's API that nothing acts on yet. */
export function notSupported(): z.ZodOptional<z.ZodNever> {
  return z.never({ error: "is not supported yet" }).optional();
}

/** One of `words`; those in `later` exist in Istio's API but nothing acts on them yet. */
export function choice<const Word extends string>(words: readonly Word[], later: readonly string[] = []): z.ZodType<Word, Word> {
  return z.custom<Word>((value) => typeof value === "string" && (words as readonly string[]).includes(value), {
    error: (issue) => {
      const given = String(issue.input);
      if (later.includes(given)) return `${given} is not supported yet; use one of ${words.join(", ")}`;
      return `must be one of ${words.join(", ")}, not ${JSON.stringify(issue.input)}`;
    },
  });
}

/** Go's notation; the value is milliseconds. */
export const duration = z.string({ error: 'must be a duration such as "1.5s" or "100ms"' }).transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms === undefined) {
    context.addIssue({ code: "custom", message: `${JSON.stringify(text)} is not a duration; write it as "1.5s" or "100ms"` });
    return z.NEVER;
  }
  return ms;
});

export const portNumber = z
  .int({ error: (issue) => (issue.input === undefined ? "is required" : "must be a port number") })
  .min(1, "must be a port from 1 to 65535")
  .max(65535, "must be a port from 1 to 65535");
export const portSelector = struct({ number: portNumber });
export const count = z.int({ error: "must be a whole number" }).min(0, "must not be negative");
export const labels = z.record(z.string(), z.string({ error: "must be a string" }));
export const nonEmpty = z
  .string({ error: (issue) => (issue.input === undefined ? "is required" : "must be a string") })
  .min(1, "must not be empty");

export const regex = nonEmpty.superRefine((pattern, context) => {
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    context.addIssue({ code: "custom", message: `${JSON.stringify(pattern)} is not a regular expression in RE2 syntax: ${reason}` });
  }
});

/** Istio's StringMatch; one with no member means presence. */
export const stringMatch = struct({ exact: z.string().optional(), prefix: z.string().optional(), regex: regex.optional() }).refine(
  (match) => Object.values(match).filter((each) => each !== undefined).length <= 1,
  "has more than one of exact, prefix and regex",
);
export type StringMatch = z.output<typeof stringMatch>;

const headerEdits = struct({ set: labels.optional(), add: labels.optional(), remove: z.array(nonEmpty).optional() });
export const headers = struct({ request: headerEdits.optional(), response: headerEdits.optional() });
export type Headers = z.output<typeof headers>;
