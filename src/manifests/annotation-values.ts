// Annotations that may be written by our own name or by Istio's, and the values that several of them take.
import type { Problem } from "../common/result.ts";

export type Annotations = Readonly<Record<string, string>>;

export interface GivenAnnotation {
  readonly key: string;
  readonly text: string;
}

/** Ours wins. @param prefix Istio's. */
export function findAnnotation(annotations: Annotations, prefix: string, name: string): GivenAnnotation | undefined {
  for (const key of [`meshctl.io/${name}`, `${prefix}${name}`]) {
    const text = annotations[key];
    if (text !== undefined) return { key, text };
  }
  return undefined;
}

/** Undefined where it isn't given, or makes no sense, which becomes a problem. */
export function readBoolean(annotations: Annotations, prefix: string, name: string, problems: Problem[]): boolean | undefined {
  const given = findAnnotation(annotations, prefix, name);
  if (given === undefined) return undefined;
  if (given.text === "true" || given.text === "false") return given.text === "true";
  problems.push(problemOf(given, `${JSON.stringify(given.text)} is neither "true" nor "false"`));
  return undefined;
}

/** A whole number from `least` on. */
export function readCount(annotations: Annotations, prefix: string, name: string, least: number, problems: Problem[]): number | undefined {
  const given = findAnnotation(annotations, prefix, name);
  if (given === undefined) return undefined;
  if (/^\d{1,6}$/.test(given.text) && Number(given.text) >= least) return Number(given.text);
  problems.push(problemOf(given, `${JSON.stringify(given.text)} is not a number from ${least}`));
  return undefined;
}

export function problemOf({ key }: GivenAnnotation, message: string): Problem {
  return { path: `metadata.annotations["${key}"]`, message };
}
