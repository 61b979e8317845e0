// Files of manifests as `inject` and `uninject` take them, and what they say of each object.
import { nodeAt, tryReadSourceTree, type SourceDocument } from "../../common/yaml-tree.ts";
import type { FieldPath, YamlProblem } from "../../common/yaml.ts";
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

/** `app.yaml:12` for each object of a text, which are asked for in their order. */
export class ObjectPlaces {
  readonly #file: string;
  readonly #text: ParsedText;
  #offset = 0;
  #line: number;

  constructor(file: string, text: ParsedText) {
    this.#file = file;
    this.#text = text;
    this.#line = text.line;
  }

  placeOf(path: FieldPath): string {
    const start = nodeAt(this.#text.document.root, path)?.start ?? 0;
    for (let at = this.#next(); at >= 0 && at < start; at = this.#next()) {
      this.#offset = at + 1;
      this.#line++;
    }
    return `${this.#file}:${this.#line}`;
  }

  #next(): number {
    return this.#text.text.indexOf("\n", this.#offset);
  }
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
