// The user's YAML as this runner sees it: the objects it runs, the last good ones of a file that is broken now, and
// what is wrong with which line. The kinds of the mesh API are the controller's business.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { UserError } from "../../common/user-error.ts";
import { parseYamlDocuments } from "../../common/yaml.ts";
import type { ConfigMap, Deployment, KubeObject, PodTemplate, Service } from "../../manifests/kube-objects.ts";
import { checkObject } from "./manifest-check.ts";

export interface SourcedObject<T extends KubeObject> {
  readonly object: T;
  /** `file:line:column` of its definition. */
  readonly place: string;
  /** That of its name, where the controller also looks when two objects have the same. */
  readonly namedAt: string;
}

export type PodObject = KubeObject & PodTemplate;

export interface ManifestSet {
  readonly deployments: readonly SourcedObject<Deployment>[];
  readonly pods: readonly SourcedObject<PodObject>[];
  readonly services: readonly SourcedObject<Service>[];
  readonly configMaps: readonly SourcedObject<ConfigMap>[];
  readonly namespaces: readonly SourcedObject<KubeObject>[];
  /** `file:line: what is wrong`. */
  readonly problems: readonly string[];
}

const EXTENSIONS = new Set([".yaml", ".yml", ".json"]);
/** Kinds that make pods in a cluster and that nobody runs here. */
const NOT_RUN = new Set(["StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"]);

interface LoadedFile {
  /** Its text, or why there is none: equal ones mean an unchanged file. */
  readonly signature: string;
  readonly objects: readonly SourcedObject<KubeObject>[];
  readonly problems: readonly string[];
}

/**
 * Reads the files again and again. A broken or unreadable file keeps what it last said, and so does a whole source that is
 * gone (a branch switched, a folder unmounted): that must not end every pod.
 */
export class ManifestReader {
  readonly #sources: readonly string[];
  #files = new Map<string, LoadedFile>();

  constructor(sources: readonly string[]) {
    this.#sources = sources;
  }

  /** @returns undefined when no file has changed since the last call. */
  read(): ManifestSet | undefined {
    const files = new Map<string, LoadedFile>();
    for (const source of this.#sources) {
      if (existsSync(source)) for (const path of listFiles(source)) this.#read(path, files);
      else this.#keep(source, files);
    }
    if (files.size === this.#files.size && [...files].every(([path, file]) => this.#files.get(path)?.signature === file.signature)) {
      return undefined;
    }
    this.#files = files;
    return toSet([...files.values()]);
  }

  #read(path: string, files: Map<string, LoadedFile>): void {
    const before = this.#files.get(path);
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
      // An editor's rename is under way, or it is gone: the next look tells.
      if (code === "ENOENT") return void (before !== undefined && files.set(path, before));
      const problems = [`${path}:1:1: can't be read: ${code}`];
      files.set(path, { signature: `\0${code}`, objects: before?.objects ?? [], problems });
      return;
    }
    files.set(path, before?.signature === text ? before : loadFile(path, text, before));
  }

  /** What a missing source last said, and that it is missing. */
  #keep(source: string, files: Map<string, LoadedFile>): void {
    for (const [path, file] of this.#files) if (path.startsWith(`${source}/`)) files.set(path, file);
    const objects = this.#files.get(source)?.objects ?? [];
    files.set(source, {
      signature: "\0gone",
      objects,
      problems: [`${source}: is gone; its pods and Services go on as they are until it is back`],
    });
  }
}

/** Files of a source: itself, or the YAML and JSON files directly in it, by name. */
export function listFiles(source: string): string[] {
  try {
    if (!statSync(source).isDirectory()) return [source];
    return readdirSync(source)
      .filter((name) => EXTENSIONS.has(extname(name)) && !name.startsWith("."))
      .sort()
      .map((name) => join(source, name));
  } catch {
    return [];
  }
}

function loadFile(path: string, text: string, before: LoadedFile | undefined): LoadedFile {
  const { documents, problems } = parseYamlDocuments(text, path);
  if (problems.length > 0) {
    const texts = problems.map((each) => `${path}:${each.line}:${each.column}: ${each.message}`);
    return { signature: text, objects: before?.objects ?? [], problems: texts };
  }
  const objects: SourcedObject<KubeObject>[] = [];
  const found: string[] = [];
  for (const document of documents) {
    for (const value of flatten(document.value)) {
      const wrong = checkObject(value);
      const { line, column } = document.locate(wrong?.path ?? []);
      const place = `${path}:${line}:${column}`;
      if (wrong !== undefined) found.push(`${place}: ${wrong.message}`);
      else {
        // Within a List the name's own place isn't known.
        const name = value === document.value ? document.locate(["metadata", "name"]) : { line, column };
        objects.push({ object: value as KubeObject, place, namedAt: `${path}:${name.line}:${name.column}` });
      }
    }
  }
  // Objects that a mistake hides for the moment go on as they were.
  const kept =
    found.length === 0 ? [] : (before?.objects ?? []).filter((old) => !objects.some((each) => keyOf(each.object) === keyOf(old.object)));
  return { signature: text, objects: [...objects, ...kept], problems: found };
}

function flatten(value: unknown): unknown[] {
  if (value === null || value === undefined) return [];
  const { kind, items } = value as { kind?: unknown; items?: unknown };
  return typeof kind === "string" && kind.endsWith("List") && Array.isArray(items) ? items.flatMap(flatten) : [value];
}

export function keyOf(object: KubeObject): string {
  return `${object.kind}/${object.metadata.namespace ?? "default"}/${object.metadata.name ?? ""}`;
}

function toSet(files: readonly LoadedFile[]): ManifestSet {
  const problems = files.flatMap((file) => file.problems);
  const byKey = new Map<string, SourcedObject<KubeObject>>();
  for (const each of files.flatMap((file) => file.objects)) {
    const first = byKey.get(keyOf(each.object));
    if (first !== undefined)
      problems.push(`${each.namedAt}: ${keyOf(each.object)} is already defined at ${first.place}; this one is ignored`);
    else byKey.set(keyOf(each.object), each);
  }
  const all = [...byKey.values()];
  const ofKind = <T extends KubeObject>(kind: string): SourcedObject<T>[] =>
    all.filter((each) => each.object.kind === kind) as SourcedObject<T>[];
  for (const each of all) {
    if (NOT_RUN.has(each.object.kind))
      problems.push(`${each.place}: a local mesh does not run a ${each.object.kind}; ${keyOf(each.object)} is ignored`);
  }
  return {
    deployments: ofKind("Deployment"),
    pods: ofKind("Pod"),
    services: ofKind("Service"),
    configMaps: ofKind("ConfigMap"),
    namespaces: ofKind("Namespace"),
    problems,
  };
}

/** Reads once, for `up`: everything must be right before anything starts. @throws UserError with every problem. */
export function readManifestsStrictly(sources: readonly string[]): ManifestSet {
  for (const source of sources) {
    const files = listFiles(source);
    if (files.length === 0) throw new UserError(`no YAML in ${source}`, "give a file, or a folder with .yaml, .yml or .json files");
  }
  const set = new ManifestReader(sources).read();
  if (set === undefined) throw new UserError(`no YAML in ${sources.join(", ")}`);
  if (set.problems.length > 0) {
    throw new UserError(set.problems.join("\n  "), "mend the YAML and start again; nothing was started");
  }
  return set;
}

/** @throws UserError where the YAML starts no pod. */
export function requirePods({ deployments, pods }: ManifestSet, sources: readonly string[]): void {
  if (deployments.length + pods.length > 0) return;
  throw new UserError(
    `${sources.join(", ")}: no Deployment and no Pod, so there is nothing to run`,
    "give the file that has them as well: -f may be repeated",
  );
}
