// What is shared through anchors, aliases and merges is written out before it is edited: this pod gets a copy of its
// own, and everything else that uses the same text stays as it is.
import type { FieldPath } from "../../common/yaml.ts";
import { childAt, nodeAt, type SourceDocument, type SourceNode } from "../../common/yaml-tree.ts";
import { valueAt } from "./find-pods.ts";
import { pointer } from "../injection-record.ts";
import { readEdited } from "./pod-text.ts";
import { applyEdits, CollectionEditor } from "./text-edit.ts";

export interface WrittenOut {
  readonly text: string;
  readonly document: SourceDocument;
  /** See InjectionRecord.shared. */
  readonly shared: readonly (readonly [string, string])[];
}

/**
 * @param paths of the collections and values that will be edited.
 * @param gone of entries that will go: a merge beside them may bring them again.
 */
export function writeOut(text: string, document: SourceDocument, paths: readonly FieldPath[], gone: readonly FieldPath[]): WrittenOut {
  const shared: [string, string][] = [];
  let written = { text, document };
  const carryOut = (next: () => Step | undefined): void => {
    for (let step = next(); step !== undefined; step = next()) {
      shared.push(step.entry);
      written = { text: step.text, document: readEdited(step.text) };
    }
  };
  for (const path of paths) carryOut(() => nextStep(written.text, written.document, path));
  for (const path of gone) {
    carryOut(
      () => nextStep(written.text, written.document, path.slice(0, -1)) ?? withoutMerge(written.text, written.document, path.slice(0, -1)),
    );
    carryOut(() => nextStep(written.text, written.document, path));
  }
  return { ...written, shared };
}

/** A map of this pod's own that has a merge, as what it says. */
function withoutMerge(text: string, { value, root }: SourceDocument, path: FieldPath): Step | undefined {
  const node = nodeAt(root, path);
  if (node === undefined || childAt(node, "<<") === undefined) return undefined;
  const copy = JSON.stringify(valueAt(value, path));
  return { entry: [pointer(path), text.slice(node.start, node.end)], text: replaceRange(text, node.start, node.end, copy) };
}

interface Step {
  readonly entry: [string, string];
  readonly text: string;
}

/** The first thing on the way to `path` that is shared, written out. */
function nextStep(text: string, { value, root }: SourceDocument, path: FieldPath): Step | undefined {
  let node = root;
  for (let length = 0; length <= path.length; length++) {
    const here = path.slice(0, length);
    if (node.kind === "alias") {
      const copy = JSON.stringify(valueAt(value, here));
      return { entry: [pointer(here), `*${node.anchor}`], text: replaceRange(text, node.start, node.end, copy) };
    }
    const user = node.anchor === undefined ? undefined : firstUser(root, node);
    if (user !== undefined) {
      // The first of the others becomes the anchor for all that follow.
      const copy = `&${node.anchor} ${JSON.stringify(valueAt(value, here))}`;
      return { entry: [pointer(user.path), `*${node.anchor}`], text: replaceRange(text, user.node.start, user.node.end, copy) };
    }
    const key = path[length];
    if (key === undefined) return undefined;
    const child = childAt(node, key);
    if (child === undefined) {
      const merged = valueAt(value, [...here, key]);
      // Only collections are copied: a value that a merge brings is hidden by an entry of the same key.
      if (node.kind !== "map" || typeof merged !== "object" || merged === null) return undefined;
      const edits = new CollectionEditor(text, node, length).appendEntries({ [key]: merged });
      return { entry: [pointer([...here, key]), ""], text: applyEdits(text, edits) };
    }
    node = child.node;
  }
  return undefined;
}

function replaceRange(text: string, start: number, end: number, replacement: string): string {
  return applyEdits(text, [{ start, end, text: replacement, depth: 0 }]);
}

interface User {
  readonly path: FieldPath;
  readonly node: SourceNode;
}

/** The first alias behind `anchored` that means it: up to where the name is given to something else. */
function firstUser(root: SourceNode, anchored: SourceNode): User | undefined {
  const visit = (node: SourceNode, path: FieldPath): User | "other" | undefined => {
    if (node.start >= anchored.end && node.anchor === anchored.anchor) return node.kind === "alias" ? { path, node } : "other";
    for (const [index, child] of node.children.entries()) {
      const found = visit(child.node, [...path, child.key ?? index]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const found = visit(root, []);
  return found === "other" ? undefined : found;
}

/** Takes writing-out back, where the text still says the same. @returns undefined when it doesn't. */
export function shareAgain(text: string, document: SourceDocument, path: FieldPath, source: string): string | undefined {
  let parent: SourceNode | undefined;
  let node: SourceNode = document.root;
  let index = -1;
  for (const step of path) {
    const child = childAt(node, step);
    if (child === undefined) return undefined;
    parent = node;
    index = node.children.indexOf(child);
    node = child.node;
  }
  if (source === "" && parent !== undefined) return applyEdits(text, new CollectionEditor(text, parent, 0).removeChildren([index]));
  // An alias has no anchor of its own: that came with the copy.
  const isAnchored = source.startsWith("*") && node.anchor !== undefined && node.kind !== "alias";
  const start = isAnchored ? text.lastIndexOf(`&${node.anchor}`, node.start) : node.start;
  return replaceRange(text, start, node.end, source);
}
