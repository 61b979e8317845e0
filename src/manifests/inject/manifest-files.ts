// Files of manifests as `inject` and `uninject` take them, and what they say of each object.
import { tryReadSourceTree, type SourceDocument } from "../../common/yaml-tree.ts";
import type { YamlProblem } from "../../common/yaml.ts";
import type { ObjectMeta } from "../kube-objects.ts";
import { findObjects, isJson } from "./find-pods.ts";
import { splitDocuments } from "./split-documents.ts";

export interface ParsedText {
  readonly text: string;
  readonly document: SourceDocument;
  /** Line of the file in which the text starts. */
  readonly line: number;
}

export interface ParsedFile {
  readonly name: string;
  readonly texts: readonly ParsedText[];
}

/** What happened to one object that has a pod. */
export interface ObjectReport {
  /** `Deployment shop/web`. */
  readonly label: string;
  readonly place: string;
  /** `refused`: the user's mistake, nothing may be written. */
  readonly outcome: "injected" | "uninjected" | "skipped" | "refused";
  readonly reason?: string;
  readonly warnings: readonly string[];
  /** Skipped for a reason that nobody asked for: --strict wants none of these. */
  readonly isProblem: boolean;
}

export interface ChangedFile {
  readonly text: string;
  readonly reports: readonly ObjectReport[];
  /** Objects that have no pod and stay as they are. */
  readonly others: number;
}

/** @returns the file, or where it is no YAML. */
export function parseFile(name: string, text: string): ParsedFile | YamlProblem {
  const texts: ParsedText[] = [];
  for (const { text: part, line } of splitDocuments(text)) {
    const document = tryReadSourceTree(part, name, line);
    if (!("root" in document)) return document;
    texts.push({ text: part, document, line });
  }
  return { name, texts };
}

/** The Namespace objects among the files: their labels decide, too. */
export function namespacesOf(files: readonly ParsedFile[]): ReadonlyMap<string, ObjectMeta> {
  const namespaces = new Map<string, ObjectMeta>();
  for (const { document } of files.flatMap(({ texts }) => texts)) {
    for (const { object } of findObjects(document.value)) {
      const metadata = object["metadata"];
      if (object["kind"] !== "Namespace" || object["apiVersion"] !== "v1" || !isJson(metadata)) continue;
      if (typeof metadata["name"] === "string") namespaces.set(metadata["name"], metadata);
    }
  }
  return namespaces;
}
