// The pieces that schemas of mesh objects are made of. Objects are strict: a field that Istio has and we don't act on
// yet is said to be unsupported, one that nobody has is unknown; neither is ever silently ignored.
import { RE2JS } from "re2js";
import { z } from "zod";
import { closestWord } from "../common/closest-word.ts";
import { DURATION, parseDurationMs } from "../common/duration.ts";
import type { SchemaHints } from "./schema-hints.ts";

/** Of the unknown keys of one object; whoever has more of them has not mistyped them. */
const MOST_SUGGESTIONS = 50;

/** One line per unknown key, in the order of the issue's keys; `toProblems` takes it apart again. */
export const KEY_SEPARATOR = "\n";

/** A strict object: unknown keys are problems that suggest the nearest known one. */
export function struct<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return undefined;
      return issue.keys.map((key, index) => describeUnknown(key, index < MOST_SUGGESTIONS ? known : [])).join(KEY_SEPARATOR);
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
  return z.enum(words, {
    error: (issue) => {
      const given = String(issue.input);
      if (later.includes(given)) return `${given} is not supported yet; use one of ${words.join(", ")}`;
      return `must be one of ${words.join(", ")}, not ${JSON.stringify(issue.input)}`;
    },
  });
}

/** Go's notation; the value is milliseconds. */
export const duration = z
  .string({ error: 'must be a duration such as "1.5s" or "100ms"' })
  .regex(DURATION, { error: (issue) => `${JSON.stringify(issue.input)} is not a duration; write it as "1.5s" or "100ms"` })
  .transform((text) => parseDurationMs(text) ?? z.NEVER);

export const portNumber = z
  .int({ error: (issue) => (issue.input === undefined ? "is required" : "must be a port number") })
  .min(1, "must be a port from 1 to 65535")
  .max(65535, "must be a port from 1 to 65535");
export const portSelector = struct({ number: portNumber.describe("Number of a port of the Service.") });
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

const TEXTS = {
  exact: z.string().optional().describe("The whole value."),
  prefix: z.string().optional().describe("How the value begins."),
  regex: regex.optional().describe("A regular expression in RE2 syntax that the whole value must match."),
};
/** Istio's StringMatch; one with no member means presence. */
export const stringMatch = struct(TEXTS)
  .refine((match) => Object.values(match).filter((each) => each !== undefined).length <= 1, "has more than one of exact, prefix and regex")
  .meta({ atMostOneOf: Object.keys(TEXTS) } satisfies SchemaHints);
export type StringMatch = z.output<typeof stringMatch>;

const headerEdits = struct({
  set: labels.optional().describe("Headers that get this value, whatever they had."),
  add: labels.optional().describe("Headers that get this value besides what they had."),
  remove: z.array(nonEmpty).optional().describe("Headers that are taken out."),
});
export const headers = struct({
  request: headerEdits.optional().describe("Changes before the request goes on."),
  response: headerEdits.optional().describe("Changes before the response goes back."),
});
export type Headers = z.output<typeof headers>;
