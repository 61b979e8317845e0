// Puts additions and their record into the text of one pod template.
import { isDeepStrictEqual } from "node:util";
import type { SourceChild, SourceDocument, SourceNode } from "../../common/yaml-tree.ts";
import { childAt, nodeAt, readSourceTree, tryReadSourceTree } from "../../common/yaml-tree.ts";
import type { HandlerReplacement } from "../app-probes.ts";
import { entryJson, INJECTED_ANNOTATION, pointer, toIndexes, type Additions, type InjectionRecord } from "../injection-record.ts";
import { valueAt } from "./find-pods.ts";
import { CollectionEditor, type TextEdit } from "./text-edit.ts";

type Entries = Readonly<Record<string, unknown>>;

/** The text has a shape in which these edits can't be made. */
export class UneditableText extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string = "write it in plain block style") {
    super(message);
    this.remedy = remedy;
  }
}

/** What comes of an edit. @throws UneditableText where that is no YAML. */
export function readEdited(text: string): SourceDocument {
  const document = tryReadSourceTree(text, "", 1);
  if (!("root" in document)) throw new UneditableText("the result would be no YAML");
  return document;
}

/** Fields of a pod that injection adds to. */
export const EDITED: readonly (readonly string[])[] = [
  ["metadata", "labels"],
  ["metadata", "annotations"],
  ["spec", "initContainers"],
  ["spec", "containers"],
  ["spec", "volumes"],
];

/**
 * @param podPath of the template in the document whose tree is `root`; nothing on the way to what is edited is shared.
 * @param pod the template's value.
 * @param record its version, parts and what was written out.
 */
export function injectIntoText(
  text: string,
  root: SourceNode,
  podPath: readonly (string | number)[],
  pod: unknown,
  additions: Additions,
  record: InjectionRecord,
): TextEdit[] {
  const node = nodeAt(root, podPath);
  if (node === undefined) throw new UneditableText("the pod template is not there");
  return new PodText(text, node, podPath.length, pod).inject(additions, record);
}

/** Aliases, for one, mean nothing by themselves. */
function saysTheSame(source: string, json: string): boolean {
  try {
    return isDeepStrictEqual(readSourceTree(source).value, readSourceTree(json).value);
  } catch {
    return false;
  }
}

class PodText {
  readonly #text: string;
  readonly #pod: SourceNode;
  readonly #depth: number;
  readonly #value: unknown;
  readonly #editors = new Map<SourceNode, CollectionEditor>();
  readonly #replaced: Record<string, string | readonly [string, string]> = {};
  readonly #entries: Record<string, string | readonly [string, string]> = {};
  readonly #made: string[] = [];

  constructor(text: string, pod: SourceNode, depth: number, value: unknown) {
    this.#text = text;
    this.#pod = pod;
    this.#depth = depth;
    this.#value = value;
  }

  inject(additions: Additions, record: InjectionRecord): TextEdit[] {
    this.#note(additions);
    const handlers = additions.handlers.map((each) => this.#replaceHandler(each));
    const { version, parts, shared } = record;
    const whole: InjectionRecord = {
      version,
      parts,
      ...(this.#made.length > 0 ? { made: this.#made } : {}),
      ...(Object.keys(this.#replaced).length > 0 ? { replaced: this.#replaced } : {}),
      ...(Object.keys(this.#entries).length > 0 ? { entries: this.#entries } : {}),
      ...(shared === undefined || shared.length === 0 ? {} : { shared }),
    };
    const annotations = { ...additions.annotations, [INJECTED_ANNOTATION]: JSON.stringify(whole) };
    const metadata: Record<string, Entries> = { labels: additions.labels, annotations };
    if (Object.keys(additions.labels).length === 0) delete metadata["labels"];
    return [
      ...handlers,
      ...this.#putIntoField(this.#pod, "metadata", 0, metadata, (node) =>
        Object.entries(metadata).flatMap(([field, entries]) =>
          this.#putIntoField(node, field, 1, entries, (map) => this.#putEntries(map, entries)),
        ),
      ),
      ...additions.lists.flatMap(({ field, items, front }) =>
        this.#putIntoField(this.#spec(), field, 1, items, (list) => this.#editor(list, 2).insertItems(items, front)),
      ),
    ];
  }

  #spec(): SourceNode {
    const spec = childAt(this.#pod, "spec")?.node;
    if (spec === undefined) throw new UneditableText("spec is not there");
    return spec;
  }

  /** What of it is new, and what it replaces. */
  #note(additions: Additions): void {
    const metadata = this.#noteField(this.#pod, ["metadata"]);
    for (const field of ["labels", "annotations"] as const) {
      if (field === "labels" && Object.keys(additions.labels).length === 0) continue;
      const map = this.#noteField(metadata, ["metadata", field]);
      for (const key of Object.keys(additions[field])) {
        const child = map === undefined ? undefined : childAt(map, key);
        const path = ["metadata", field, key];
        const merged = valueAt(this.#value, path) ?? null;
        if (child !== undefined) this.#noteReplaced(child, path);
        else if (merged !== null) this.#replaced[pointer(path)] = ["", JSON.stringify(merged)];
      }
    }
    for (const { field } of additions.lists) this.#noteField(this.#spec(), ["spec", field]);
  }

  #noteField(parent: SourceNode | undefined, path: readonly string[]): SourceNode | undefined {
    const child = parent === undefined ? undefined : childAt(parent, path.at(-1)!);
    if (child === undefined) this.#made.push(pointer(path));
    else if (child.node.kind === "scalar") this.#noteReplaced(child, path);
    else return child.node;
    return undefined;
  }

  #noteReplaced({ node }: SourceChild, path: readonly string[]): void {
    const source = this.#text.slice(node.start, node.end);
    const json = JSON.stringify(valueAt(this.#value, path) ?? null);
    this.#replaced[pointer(path)] = source === json ? source : [source, json];
  }

  /** The whole entry, key and all: what it was may have had another key. */
  #replaceHandler({ path, was, value }: HandlerReplacement): TextEdit {
    const steps = toIndexes(this.#value, path);
    const probe = steps === undefined ? undefined : nodeAt(this.#pod, steps);
    const child = probe === undefined ? undefined : childAt(probe, was);
    if (steps === undefined || probe === undefined || child === undefined) throw new UneditableText(`${pointer(path)} is not there`);
    if (was !== "httpGet" && childAt(probe, "httpGet") !== undefined)
      throw new UneditableText(`${pointer(path)} has an httpGet beside its ${was}`, "leave one of them");
    const range = { start: child.start, end: Math.max(child.valueFrom, child.node.end) };
    const source = this.#text.slice(range.start, range.end);
    const json = entryJson(was, valueAt(this.#value, [...steps, was]));
    this.#entries[pointer([...path, "httpGet"])] = saysTheSame(source, json) ? source : [source, json];
    return { ...range, text: new CollectionEditor(this.#text, probe, this.#depth).entryText("httpGet", value), depth: Infinity };
  }

  /** Makes the field where there is none, else lets `inside` write into it. */
  #putIntoField(parent: SourceNode, field: string, depth: number, whole: unknown, inside: (node: SourceNode) => TextEdit[]): TextEdit[] {
    const child = childAt(parent, field);
    if (child === undefined) return this.#editor(parent, depth).appendEntries({ [field]: whole });
    if (child.node.kind === "scalar") return [this.#replace(child, whole)];
    return inside(child.node);
  }

  #putEntries(map: SourceNode, entries: Entries): TextEdit[] {
    return Object.entries(entries).flatMap(([key, value]) => {
      const child = childAt(map, key);
      return child === undefined ? this.#editor(map, 2).appendEntries({ [key]: value }) : [this.#replace(child, value)];
    });
  }

  #replace({ node, valueFrom }: SourceChild, value: unknown): TextEdit {
    if (node.isEmpty && this.#text[valueFrom - 1] !== ":") throw new UneditableText("a key without a colon");
    // A value stands directly behind its key, in front of whatever else goes to the end of its line.
    return { start: node.start, end: node.end, text: `${node.isEmpty ? " " : ""}${JSON.stringify(value)}`, depth: Infinity };
  }

  #editor(node: SourceNode, depth: number): CollectionEditor {
    const known = this.#editors.get(node);
    if (known !== undefined) return known;
    const made = new CollectionEditor(this.#text, node, this.#depth + depth);
    this.#editors.set(node, made);
    return made;
  }
}
