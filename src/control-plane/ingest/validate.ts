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

const TOP_LEVEL = new Set(["apiVersion", "kind", "metadata", "spec", "status"]);

export function validate(raw: RawObject): Validated {
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
  const problems: ConfigProblem[] = [];
  for (const key of Object.keys(raw.value)) {
    if (TOP_LEVEL.has(key)) continue;
    const guess = closestWord(key, [...TOP_LEVEL]);
    problems.push(problemAt(raw, [key], guess === undefined ? "unknown field" : `unknown field; did you mean "${guess}"?`));
  }
  const envelope = objectEnvelope.safeParse(raw.value);
  if (!envelope.success) problems.push(...toProblems(raw, envelope.error, []));
  const parsed = spec.safeParse(withoutNulls(raw.value["spec"] ?? {}));
  if (!parsed.success) problems.push(...toProblems(raw, parsed.error, ["spec"]));
  if (problems.length > 0 || !envelope.success || !parsed.success) return { ok: false, problems };
  const meta = toMeta(envelope.data.metadata, raw.namespace);
  return { ok: true, object: { kind, meta, spec: parsed.data } as AnyMeshConfigObject };
}

function describeUnknownKind(kind: string): string {
  if (LATER_KINDS.has(kind)) return `${kind} is not supported yet; supported are ${Object.keys(MESH_KINDS).join(", ")}`;
  const guess = closestWord(kind, [...Object.keys(MESH_KINDS), ...LATER_KINDS]);
  return `unknown kind ${kind}${guess === undefined ? "" : `; did you mean ${guess}?`}`;
}
