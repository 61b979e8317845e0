// What injection did to a pod, in an annotation of it: enough to take it back, and to see what was changed since.
import { createHash } from "node:crypto";
import { VERSION } from "../common/version.ts";
import type { HandlerReplacement } from "./app-probes.ts";
import { escapePointer } from "./json-patch.ts";
import type { PodTemplate } from "./kube-objects.ts";
import { normalizePart } from "./part-normalization.ts";

export const INJECTED_ANNOTATION = "meshctl.io/injected";
/** Of the annotation, in UTF-8: a pod's annotations share 256 KB, and people read them. */
export const RECORD_LIMIT_BYTES = 4096;

export type PodList = "initContainers" | "containers" | "volumes";

/** What injection puts into a pod, but for the record of it. */
export interface Additions {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly lists: readonly {
    readonly field: PodList;
    readonly items: readonly { readonly name: string }[];
    /** In front of what is there, else behind it. */
    readonly front: boolean;
  }[];
  /** Handlers of the application's that are to go by way of the sidecar. */
  readonly handlers: readonly HandlerReplacement[];
  /** For the person: what was asked for and isn't done. */
  readonly warnings: readonly string[];
}

/** The annotation's JSON. Pointers are relative to the pod; members of lists go by their name. */
export interface InjectionRecord {
  readonly version: string;
  /** Pointer of each part that we added → fingerprint of its value. */
  readonly parts: Readonly<Record<string, string>>;
  /** Maps and lists that were not there before. */
  readonly made?: readonly string[];
  /**
   * Values that were replaced: their source text, and their JSON where the text alone may not stand anywhere. The text is
   * empty for what a merge had brought, and with the JSON `null` where nothing was written.
   */
  readonly replaced?: Readonly<Record<string, string | readonly [string, string]>>;
  /** Entries that were replaced, key and all, by pointer of what they became; their source text or both forms, as above. */
  readonly entries?: Readonly<Record<string, string | readonly [string, string]>>;
  /**
   * Aliases and merges that were written out, in the order in which they were: pointer from the root of the document,
   * and the source text; "" for an entry that a merge had brought.
   */
  readonly shared?: readonly (readonly [string, string])[];
}

export function pointer(path: readonly (string | number)[]): string {
  return path.map((step) => `/${escapePointer(String(step))}`).join("");
}

export function parsePointer(text: string): string[] {
  return text
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Stays the same through what an API server does to a value: defaults, order of keys, spelling of quantities. */
export function fingerprint(value: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(normalizePart(value)) ?? "")
    .digest("hex")
    .slice(0, 8);
}

/** The record for a pod that is data; whoever edits text knows more of what was replaced. */
export function recordOf(pod: PodTemplate, additions: Additions): InjectionRecord {
  const parts: Record<string, string> = {};
  const made: string[] = [];
  const replaced: Record<string, string> = {};
  if (pod.metadata === undefined || pod.metadata === null) made.push("/metadata");
  for (const field of ["labels", "annotations"] as const) {
    const existing = pod.metadata?.[field] ?? undefined;
    if (existing === undefined) made.push(pointer(["metadata", field]));
    for (const [key, value] of Object.entries(additions[field])) {
      const at = pointer(["metadata", field, key]);
      parts[at] = fingerprint(value);
      if (existing?.[key] !== undefined) replaced[at] = JSON.stringify(existing[key]);
    }
  }
  for (const { field, items } of additions.lists) {
    if ((pod.spec[field] ?? undefined) === undefined) made.push(pointer(["spec", field]));
    for (const item of items) parts[pointer(["spec", field, item.name])] = fingerprint(item);
  }
  const entries: Record<string, string> = {};
  for (const { path, was, value } of additions.handlers) {
    const at = pointer([...path, "httpGet"]);
    parts[at] = fingerprint(value);
    entries[at] = entryJson(was, partAt(pod, [...path, was]));
  }
  return {
    version: VERSION,
    parts,
    ...(made.length > 0 ? { made } : {}),
    ...(Object.keys(replaced).length > 0 ? { replaced } : {}),
    ...(Object.keys(entries).length > 0 ? { entries } : {}),
  };
}

export function entryJson(key: string, value: unknown): string {
  return `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
}

/** Steps into lists, which go by the names of their members, as indexes. Undefined where there is no such member. */
export function toIndexes(value: unknown, path: readonly string[]): (string | number)[] | undefined {
  const steps: (string | number)[] = [];
  let at = value;
  for (const step of path) {
    let key: string | number = step;
    if (Array.isArray(at)) {
      key = at.findIndex((each) => typeof each === "object" && each !== null && (each as { name?: unknown }).name === step);
      if (key < 0) return undefined;
    }
    steps.push(key);
    at = typeof at === "object" && at !== null ? (at as Record<string | number, unknown>)[key] : undefined;
  }
  return steps;
}

/** What a pointer of a record means in this pod. */
export function partAt(pod: unknown, path: readonly string[]): unknown {
  let at = pod;
  for (const step of toIndexes(pod, path) ?? [""])
    at = typeof at === "object" && at !== null ? (at as Record<string | number, unknown>)[step] : undefined;
  return at;
}

/** Undefined for text that is no record of ours. */
export function parseRecord(text: unknown): InjectionRecord | undefined {
  if (typeof text !== "string") return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const { version, parts, made = [], replaced = {}, entries = {}, shared = [] } = json as Readonly<Record<string, unknown>>;
  const isText = (value: unknown): boolean => typeof value === "string";
  const isPair = (value: unknown): boolean => Array.isArray(value) && value.length === 2 && value.every(isText);
  const isMap = (value: unknown, isMember: (member: unknown) => boolean): boolean =>
    typeof value === "object" && value !== null && Object.values(value).every(isMember);
  const isWhole =
    isText(version) &&
    isMap(parts, isText) &&
    Array.isArray(made) &&
    made.every(isText) &&
    isMap(replaced, (value) => isText(value) || isPair(value)) &&
    isMap(entries, (value) => isText(value) || isPair(value)) &&
    Array.isArray(shared) &&
    shared.every(isPair);
  return isWhole ? (json as InjectionRecord) : undefined;
}
