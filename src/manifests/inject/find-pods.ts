// The pods that a document describes: where their templates are, and whose they are.
import type { FieldPath } from "../../common/yaml.ts";
import type { Workload } from "../injected-containers.ts";

export interface PodPlace {
  /** From the root of the document to the pod template. */
  readonly path: FieldPath;
  /** To the object that has it. */
  readonly objectPath: FieldPath;
  readonly kind: string;
  readonly workload: Workload;
  /** For people: `Deployment shop/web`, without a namespace where none is written. */
  readonly label: string;
}

type Json = Readonly<Record<string, unknown>>;

const APPS = /^(?:apps|extensions)\//;
const BATCH = /^batch\//;
const CORE = /^v1$/;

/** API groups of the kinds that have a pod template, and where. Kinds of the same name in other groups are others' business. */
const TEMPLATES: Readonly<Record<string, { readonly group: RegExp; readonly path: readonly string[] }>> = {
  Pod: { group: CORE, path: [] },
  ReplicationController: { group: CORE, path: ["spec", "template"] },
  Deployment: { group: APPS, path: ["spec", "template"] },
  DaemonSet: { group: APPS, path: ["spec", "template"] },
  StatefulSet: { group: APPS, path: ["spec", "template"] },
  ReplicaSet: { group: APPS, path: ["spec", "template"] },
  Job: { group: BATCH, path: ["spec", "template"] },
  CronJob: { group: BATCH, path: ["spec", "jobTemplate", "spec", "template"] },
};

export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every object of a document, members of Lists too. Those of a DeploymentList need not say what they are. */
export function findObjects(value: unknown, path: FieldPath = []): { readonly object: Json; readonly path: FieldPath }[] {
  if (!isJson(value)) return [];
  const { kind, apiVersion, items } = value;
  const [, member] = typeof kind === "string" ? (/^(.*)List$/.exec(kind) ?? []) : [];
  if (member === undefined || !Array.isArray(items)) return [{ object: value, path }];
  const implied = member === "" ? {} : { apiVersion, kind: member };
  return (items as readonly unknown[]).flatMap((item, index) =>
    findObjects(isJson(item) ? { ...implied, ...item } : item, [...path, "items", index]),
  );
}

/** What has a pod template and is of no kind that has one here, such as Argo's Rollout: its name for people. */
export function unknownWorkload({ apiVersion, kind, spec, metadata }: Json): string | undefined {
  if (typeof kind !== "string" || typeof apiVersion !== "string") return undefined;
  if (!Array.isArray(valueAt(spec, ["template", "spec", "containers"]))) return undefined;
  const name = isJson(metadata) ? metadata["name"] : undefined;
  return `${kind} ${typeof name === "string" ? name : "(no name)"} of ${apiVersion}`;
}

/** The pod that an object of a known kind describes; undefined for every other. */
export function podPlaceOf(object: Json, path: FieldPath, defaultNamespace: string): PodPlace | undefined {
  const { kind, apiVersion } = object;
  const template = typeof kind === "string" && Object.hasOwn(TEMPLATES, kind) ? TEMPLATES[kind] : undefined;
  if (template === undefined || typeof kind !== "string" || typeof apiVersion !== "string" || !template.group.test(apiVersion))
    return undefined;
  const metadata = isJson(object["metadata"]) ? object["metadata"] : {};
  const text = (key: string): string | undefined => (typeof metadata[key] === "string" ? metadata[key] : undefined);
  const name = text("name") ?? text("generateName")?.replace(/-$/, "") ?? "";
  const namespace = text("namespace");
  return {
    path: [...path, ...template.path],
    objectPath: path,
    kind,
    workload: { namespace: namespace ?? defaultNamespace, ...ownerOf(metadata, { kind, name }) },
    label: `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name === "" ? "(no name)" : name}`,
  };
}

/** A ReplicaSet of a Deployment, or a Job of a CronJob, belongs to that. */
function ownerOf(metadata: Json, self: { kind: string; name: string }): { kind: string; name: string } {
  const references: unknown = metadata["ownerReferences"];
  const owner: unknown = Array.isArray(references) ? references.find((each) => isJson(each) && each["controller"] === true) : undefined;
  const { kind, name } = isJson(owner) ? owner : {};
  return typeof kind === "string" && typeof name === "string" && Object.hasOwn(TEMPLATES, kind) ? { kind, name } : self;
}

export function valueAt(value: unknown, path: FieldPath): unknown {
  let at = value;
  for (const step of path) at = typeof at === "object" && at !== null ? (at as Record<string | number, unknown>)[step] : undefined;
  return at;
}
