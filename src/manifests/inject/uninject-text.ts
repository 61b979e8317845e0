// Takes out of a document what injection put into its pods, by the record that each of them carries.
import { isDeepStrictEqual } from "node:util";
import type { FieldPath } from "../../common/yaml.ts";
import { childAt, nodeAt, readSourceTree, type SourceDocument, type SourceNode } from "../../common/yaml-tree.ts";
import {
  entryJson,
  fingerprint,
  INJECTED_ANNOTATION,
  parsePointer,
  parseRecord,
  partAt,
  pointer,
  toIndexes,
  type InjectionRecord,
} from "../injection-record.ts";
import { isJson, valueAt, type PodPlace } from "./find-pods.ts";
import { applyEdits, CollectionEditor, lineStart, type TextEdit } from "./text-edit.ts";
import { shareAgain } from "./write-out.ts";

export interface Uninjected {
  readonly text: string;
  readonly document: SourceDocument;
  /** Per pod that had a record: the parts of ours that were changed by hand, or why nothing could be done. */
  readonly pods: ReadonlyMap<PodPlace, { readonly changed: readonly string[]; readonly problem?: string }>;
}

/** @param touchesChanged takes the other parts of a pod out where one was changed by hand; else such a pod is left alone. */
export function uninjectText(text: string, document: SourceDocument, pods: readonly PodPlace[], touchesChanged: boolean): Uninjected {
  let now = { text, document };
  const outcome = new Map<PodPlace, { changed: readonly string[]; problem?: string }>();
  let pending: Removal[] = [];
  const carryOut = (): void => {
    if (pending.length > 0) now = removeAll(now.text, now.document, pending);
    pending = [];
  };
  // Backwards: what was written out last is shared again first.
  for (const place of pods.toReversed()) {
    const pod = valueAt(now.document.value, place.path);
    const written = valueAt(pod, ["metadata", "annotations", INJECTED_ANNOTATION]);
    if (written === undefined) continue;
    const record = parseRecord(written);
    const node = nodeAt(now.document.root, place.path);
    if (record === undefined || node === undefined) {
      const problem = record === undefined ? `its annotation ${INJECTED_ANNOTATION} can't be read` : "it is written as an alias or a merge";
      outcome.set(place, { changed: [], problem });
      continue;
    }
    const changed = changedParts(pod, record);
    outcome.set(place, { changed });
    if (changed.length > 0 && !touchesChanged) continue;
    pending.push({ place, record, changed: new Set(changed) });
    const { shared = [] } = record;
    if (shared.length === 0) continue;
    carryOut();
    for (const [at, source] of shared.toReversed()) now = tryShareAgain(now.text, now.document, at, source);
  }
  carryOut();
  return { ...now, pods: outcome };
}

interface Removal {
  readonly place: PodPlace;
  readonly record: InjectionRecord;
  readonly changed: ReadonlySet<string>;
}

/** Pointers of parts that are there, but not as we wrote them. */
function changedParts(pod: unknown, record: InjectionRecord): string[] {
  return Object.entries(record.parts)
    .filter(([at, print]) => {
      const value = partAt(pod, parsePointer(at));
      return value !== undefined && fingerprint(value) !== print;
    })
    .map(([at]) => at);
}

/** In which form replaced values come back: as they were written, so where that is JSON, or by what they said. */
type Form = "source" | "json" | "content";

function removeAll(text: string, document: SourceDocument, removals: readonly Removal[]): { text: string; document: SourceDocument } {
  const make = (form: Form): { text: string; document: SourceDocument } => {
    const edits = removals.flatMap((each) => new PodCleaner(text, document, each, form).edits());
    const result = applyEdits(text, edits);
    return { text: result, document: readSourceTree(result) };
  };
  if (document.root.isFlow && parsesAsJson(text)) return make("json");
  try {
    const result = make("source");
    if (removals.every((each) => isAsReplaced(result.document.value, each))) return result;
  } catch {
    // The source of a replaced value may mean nothing here, such as an alias in what kubectl printed.
  }
  return make("content");
}

function parsesAsJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isAsReplaced(value: unknown, { place, record, changed }: Removal): boolean {
  const pod = valueAt(value, place.path);
  const areEntries = Object.entries(record.entries ?? {}).every(([at, source]) => {
    const parent = parsePointer(at).slice(0, -1);
    const entry = readEntry(source);
    return changed.has(at) || partAt(pod, parent) === undefined || isDeepStrictEqual(partAt(pod, [...parent, entry.key]), entry.value);
  });
  if (!areEntries) return false;
  return Object.entries(record.replaced ?? {}).every(([at, source]) => {
    if (changed.has(at) || typeof source === "string") return true;
    if (isMerged(source)) return partAt(pod, parsePointer(at)) === JSON.parse(source[1]);
    const now = valueAt(value, [...place.path, ...parsePointer(at)]);
    return now === undefined || source[1] === "null" || JSON.stringify(now) === source[1];
  });
}

/** A merge brought it; it does again where that is still there. */
function isMerged(source: string | readonly [string, string]): source is readonly [string, string] {
  return typeof source !== "string" && source[0] === "" && source[1] !== "null";
}

/** The edits that clean one pod. */
class PodCleaner {
  readonly #text: string;
  readonly #pod: SourceNode;
  readonly #value: unknown;
  readonly #removal: Removal;
  readonly #form: Form;
  readonly #gone = new Map<SourceNode, Set<number>>();
  readonly #edits: TextEdit[] = [];

  constructor(text: string, document: SourceDocument, removal: Removal, form: Form) {
    this.#text = text;
    this.#pod = nodeAt(document.root, removal.place.path)!;
    this.#value = valueAt(document.value, removal.place.path);
    this.#removal = removal;
    this.#form = form;
  }

  edits(): TextEdit[] {
    const { parts, made = [], replaced = {}, entries = {} } = this.#removal.record;
    for (const at of [...Object.keys(parts), pointer(["metadata", "annotations", INJECTED_ANNOTATION])]) {
      if (this.#removal.changed.has(at)) continue;
      const source = replaced[at];
      const entry = entries[at];
      if (entry !== undefined) this.#restoreEntry(parsePointer(at), entry);
      else if (source === undefined || (this.#form === "source" && isMerged(source))) this.#drop(parsePointer(at));
      else this.#restore(parsePointer(at), source);
    }
    // Deeper ones first: what holds nothing but them is empty, too.
    const parents = [...made, ...Object.keys(replaced).filter((at) => parts[at] === undefined)];
    for (const at of parents.toSorted((a, b) => b.split("/").length - a.split("/").length)) {
      const path = parsePointer(at);
      const node = nodeAt(this.#pod, path);
      if (node === undefined || node.children.length === 0 || this.#gone.get(node)?.size !== node.children.length) continue;
      this.#gone.delete(node);
      const source = replaced[at];
      if (source === undefined) this.#drop(path);
      else this.#restore(path, source);
    }
    for (const [node, gone] of this.#gone) {
      const indexes = [...gone].toSorted((a, b) => a - b);
      this.#edits.push(...new CollectionEditor(this.#text, node, 0).removeChildren(indexes));
      if (!node.isFlow && gone.size === node.children.length) this.#edits.push(...this.#emptied(node));
    }
    return this.#edits;
  }

  /** What was `{}` before others printed it in block style is that again, not null. */
  #emptied(node: SourceNode): TextEdit[] {
    const key = lineStart(this.#text, lineStart(this.#text, node.start) - 1);
    const [, before = ""] = /^(.*:)[ \t]*\r?\n/.exec(this.#text.slice(key, node.start)) ?? [];
    if (before === "" || before.trimStart().startsWith("#")) return [];
    const at = key + before.length;
    return [{ start: at, end: at, text: node.kind === "list" ? " []" : " {}", depth: 0 }];
  }

  #drop(path: readonly string[]): void {
    const parent = nodeAt(this.#pod, path.slice(0, -1));
    if (parent === undefined) return;
    const last = path.at(-1)!;
    const list = parent.kind === "list" ? valueAt(this.#value, path.slice(0, -1)) : undefined;
    const index = Array.isArray(list)
      ? list.findIndex((each) => isJson(each) && each["name"] === last)
      : parent.children.findIndex((each) => each.key === last);
    if (index < 0) return;
    const gone = this.#gone.get(parent) ?? new Set();
    this.#gone.set(parent, gone.add(index));
  }

  #restoreEntry(path: readonly string[], source: string | readonly [string, string]): void {
    const parent = nodeAt(this.#pod, toIndexes(this.#value, path.slice(0, -1)) ?? [""]);
    const child = parent === undefined ? undefined : childAt(parent, path.at(-1)!);
    if (child === undefined) return;
    const written = typeof source === "string" ? source : source[0];
    const { key, value } = readEntry(source);
    const isKept = this.#form === "source" || (this.#form === "json" && parsesAsJson(`{${written}}`));
    const text = isKept ? written : entryJson(key, value);
    this.#edits.push({ start: child.start, end: Math.max(child.valueFrom, child.node.end), text, depth: 0 });
  }

  #restore(path: readonly string[], source: string | readonly [string, string]): void {
    const node = nodeAt(this.#pod, path);
    if (node === undefined) return;
    const text = typeof source === "string" ? source : source[this.#form === "source" ? 0 : 1];
    // Nothing was there, and a blank came in front of the value.
    const start = text === "" && this.#text[node.start - 1] === " " ? node.start - 1 : node.start;
    this.#edits.push({ start, end: node.end, text, depth: 0 });
  }
}

/** What an entry that was replaced said. */
function readEntry(source: string | readonly [string, string]): { readonly key: string; readonly value: unknown } {
  // JSON's own text of an entry is YAML too.
  const map = readSourceTree(typeof source === "string" ? source : source[1]).value;
  const [[key, value] = ["", undefined]] = isJson(map) ? Object.entries(map) : [];
  return { key, value };
}

function tryShareAgain(text: string, document: SourceDocument, at: string, source: string): { text: string; document: SourceDocument } {
  const unchanged = { text, document };
  const path = toFieldPath(document.root, parsePointer(at));
  try {
    const shared = path === undefined ? undefined : shareAgain(text, document, path, source);
    if (shared === undefined) return unchanged;
    const result = readSourceTree(shared);
    return isDeepStrictEqual(result.value, document.value) ? { text: shared, document: result } : unchanged;
  } catch {
    return unchanged;
  }
}

/** Steps into lists become numbers. */
function toFieldPath(root: SourceNode, steps: readonly string[]): FieldPath | undefined {
  const path: (string | number)[] = [];
  let node: SourceNode | undefined = root;
  for (const step of steps) {
    if (node === undefined) return undefined;
    const key: string | number = node.kind === "list" ? Number(step) : step;
    path.push(key);
    node = childAt(node, key)?.node;
  }
  return path;
}
