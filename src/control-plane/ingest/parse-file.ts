// Text of one file → the objects in it. Lists are opened up; a document that is no object is a problem.
import { formatFieldPath, parseYamlDocuments } from "../../common/yaml.ts";
import type { FieldPath, YamlDocument } from "../../common/yaml.ts";
import { objectKey } from "./raw-object.ts";
import type { ConfigProblem, RawObject } from "./raw-object.ts";

export interface ParsedFile {
  readonly objects: readonly RawObject[];
  readonly problems: readonly ConfigProblem[];
  /** False when the text is not YAML: then nothing can be said about what was meant to be in it. */
  readonly readable: boolean;
}

const CLUSTER_SCOPED = new Set(["Namespace", "Node", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"]);
export const DEFAULT_NAMESPACE = "default";

/** @param file the name that problems carry. */
export function parseFile(text: string, file: string): ParsedFile {
  const { documents, problems } = parseYamlDocuments(text, file);
  if (problems.length > 0) {
    return { objects: [], problems: problems.map((each) => ({ ...each, object: undefined, field: "" })), readable: false };
  }
  const collector = new Collector(file);
  for (const document of documents) collector.add(document.value, document, []);
  return { objects: collector.objects, problems: collector.problems, readable: true };
}

class Collector {
  readonly objects: RawObject[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly #file: string;
  readonly #keys = new Set<string>();

  constructor(file: string) {
    this.#file = file;
  }

  add(value: unknown, document: YamlDocument, at: FieldPath): void {
    if (value === null) return;
    if (!isRecord(value)) return this.#problem(document, at, "is not an object with apiVersion and kind");
    const { apiVersion, kind } = value;
    if (typeof apiVersion !== "string" || typeof kind !== "string") {
      const missing = typeof apiVersion !== "string" ? "apiVersion" : "kind";
      return this.#problem(document, [...at, missing], "is required");
    }
    if (kind.endsWith("List") && Array.isArray(value["items"])) {
      value["items"].forEach((item: unknown, index) => this.add(item, document, [...at, "items", index]));
      return;
    }
    const metadata = isRecord(value["metadata"]) ? value["metadata"] : {};
    const name = metadata["name"];
    // Objects of kinds that nobody here reads may be nameless (generateName); they are ignored later anyway.
    if (typeof name !== "string" || name === "") return this.#problem(document, [...at, "metadata", "name"], "is required");
    const given = metadata["namespace"];
    const namespace = CLUSTER_SCOPED.has(kind) ? "" : typeof given === "string" && given !== "" ? given : DEFAULT_NAMESPACE;
    const origin = { file: this.#file, locate: (path: FieldPath) => document.locate([...at, ...path]) };
    const object = { apiVersion, kind, namespace, name, value, origin };
    const key = objectKey(object);
    if (this.#keys.has(key)) return this.#problem(document, [...at, "metadata", "name"], `${key} is already defined in this file`);
    this.#keys.add(key);
    this.objects.push(object);
  }

  #problem(document: YamlDocument, path: FieldPath, message: string): void {
    this.problems.push({ file: this.#file, ...document.locate(path), object: undefined, field: formatFieldPath(path), message });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
