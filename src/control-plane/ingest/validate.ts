// One raw object → a mesh object, or every problem in it with file, line and field; or nothing, when the object is of
// a kind that the mesh doesn't read.
import { z } from "zod";
import { closestWord } from "../../common/closest-word.ts";
import { isMeshGroup, isMeshKind, LATER_KINDS, MESH_KINDS } from "../../mesh-api/mesh-kinds.ts";
import type { MeshKind } from "../../mesh-api/mesh-kinds.ts";
import { KUBERNETES_KINDS, objectEnvelope, reduceKubernetesObject, toMeta } from "./kubernetes-schemas.ts";
import type { AnyMeshConfigObject, KubernetesKind, MeshObject } from "./mesh-object.ts";
import { isMeshConfigMap, validateMeshConfigMap } from "./mesh-config-map.ts";
import { problemAt, refusal, toProblems, withoutNulls } from "./object-problems.ts";
import type { Refusal } from "./object-problems.ts";
import type { ConfigProblem, RawObject } from "./raw-object.ts";

export type Validated = { readonly ok: true; readonly object: MeshObject | undefined } | Refusal;

/** More is no help to anybody, and an object of a megabyte can hold a hundred thousand. */
const MAX_PROBLEMS = 100;
const TOP_LEVEL = new Set(["apiVersion", "kind", "metadata", "spec", "status"]);

/** Never throws: what is wrong with one object mustn't stop the rest of the mesh. */
export function validate(raw: RawObject): Validated {
  try {
    const result = judge(raw);
    if (result.ok || result.problems.length <= MAX_PROBLEMS) return result;
    const more = problemAt(raw, [], `has ${result.problems.length - MAX_PROBLEMS} more problems`);
    return { ok: false, problems: [...result.problems.slice(0, MAX_PROBLEMS), more] };
  } catch (error) {
    // Such as the stack's end: API servers take objects that nest ten thousand levels deep.
    return refusal(raw, [], `can't be checked: ${(error as Error).message}`);
  }
}

function judge(raw: RawObject): Validated {
  if (Object.hasOwn(KUBERNETES_KINDS, raw.kind) && KUBERNETES_KINDS[raw.kind as KubernetesKind].test(raw.apiVersion)) {
    return validateKubernetes(raw, raw.kind as KubernetesKind);
  }
  if (isMeshConfigMap(raw)) return validateMeshConfigMap(raw);
  if (!isMeshGroup(raw.apiVersion)) return { ok: true, object: undefined };
  if (isMeshKind(raw.kind)) return validateMesh(raw, raw.kind);
  return refusal(raw, ["kind"], describeUnknownKind(raw.kind));
}

function validateKubernetes(raw: RawObject, kind: KubernetesKind): Validated {
  try {
    return { ok: true, object: reduceKubernetesObject(kind, raw.value, raw.namespace) };
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    return { ok: false, problems: toProblems(raw, error, []) };
  }
}

function validateMesh(raw: RawObject, kind: MeshKind): Validated {
  const { group, versions, spec } = MESH_KINDS[kind];
  const accepted = versions.map((each) => `${group}/${each}`);
  if (!accepted.includes(raw.apiVersion)) {
    return refusal(raw, ["apiVersion"], `${kind} has no version ${raw.apiVersion}; use one of ${accepted.join(", ")}`);
  }
  const unknown = Object.keys(raw.value).filter((key) => !TOP_LEVEL.has(key));
  const envelope = objectEnvelope.safeParse(raw.value);
  const parsed = spec.safeParse(withoutNulls(raw.value["spec"] ?? {}));
  const problems: readonly ConfigProblem[] = [
    ...unknown.map((key) => problemAt(raw, [key], describeUnknownField(key))),
    ...(envelope.success ? [] : toProblems(raw, envelope.error, [])),
    ...(parsed.success ? [] : toProblems(raw, parsed.error, ["spec"])),
  ];
  if (problems.length > 0 || !envelope.success || !parsed.success) return { ok: false, problems };
  const meta = toMeta(envelope.data.metadata, raw.namespace);
  return { ok: true, object: { kind, meta, spec: parsed.data } as AnyMeshConfigObject };
}

function describeUnknownField(key: string): string {
  const guess = closestWord(key, [...TOP_LEVEL]);
  return guess === undefined ? "unknown field" : `unknown field; did you mean "${guess}"?`;
}

function describeUnknownKind(kind: string): string {
  if (LATER_KINDS.has(kind)) return `${kind} is not supported yet; supported are ${Object.keys(MESH_KINDS).join(", ")}`;
  const guess = closestWord(kind, [...Object.keys(MESH_KINDS), ...LATER_KINDS]);
  return `unknown kind ${kind}${guess === undefined ? "" : `; did you mean ${guess}?`}`;
}
