// Who manages which field of an object, and what an apply makes of it. `meshctl install | kubectl apply` is ours, too: the
// fields that it wrote are taken over, so that those which a new version leaves out go away, as kubectl would take them.
import type { ApiError } from "../../../kube/api-error.ts";
import type { JsonPatchOperation } from "../../../kube/objects.ts";
import type { KubeObject } from "../../../kube/resource-kind.ts";

export const FIELD_MANAGER = "meshctl";
/** Of `kubectl apply` without --server-side. */
const KUBECTL = "kubectl-client-side-apply";

/** A set of fields as managedFields have it (FieldsV1): `f:name` is a member of a map, `k:{…}` an item of a list by its keys. */
interface FieldSet {
  readonly [step: string]: FieldSet;
}

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: FieldSet;
}

/** A field that the installation sets, and somebody else to another value. */
export interface FieldConflict {
  readonly manager: string;
  /** `.spec.replicas` */
  readonly field: string;
}

/** The conflicts of a refused apply, without those with kubectl's copy of our own output. */
export function foreignConflicts(error: ApiError): FieldConflict[] {
  return error.causes
    .filter(({ reason }) => reason === "FieldManagerConflict")
    .map(({ message = "", field = "" }) => ({ manager: /conflict with "([^"]*)"/.exec(message)?.[1] ?? message, field }))
    .filter(({ manager }) => manager !== KUBECTL);
}

export function isConflict({ causes }: ApiError): boolean {
  return causes.some(({ reason }) => reason === "FieldManagerConflict");
}

/** What makes kubectl's fields ours, only as long as the object is as it was read; undefined where there are none. */
export function adoption(live: KubeObject): JsonPatchOperation[] | undefined {
  const entries = managedFieldsOf(live);
  const adopted = entries.filter(isAdopted);
  const [first] = adopted;
  if (first === undefined) return undefined;
  const own = entries.find(isOwn);
  const fieldsV1 = unionOf([...adopted, ...(own === undefined ? [] : [own])].map((each) => each.fieldsV1 ?? {}));
  const entry = { ...(own ?? first), manager: FIELD_MANAGER, operation: "Apply", fieldsV1 };
  const others = entries.filter((each) => !isAdopted(each) && !isOwn(each));
  return [
    { op: "replace", path: "/metadata/managedFields", value: [...others, entry] },
    { op: "replace", path: "/metadata/resourceVersion", value: live.metadata.resourceVersion },
  ];
}

function managedFieldsOf({ metadata }: KubeObject): readonly ManagedFields[] {
  return (metadata as { readonly managedFields?: readonly ManagedFields[] }).managedFields ?? [];
}

function isAdopted({ manager, operation, subresource }: ManagedFields): boolean {
  return manager === KUBECTL && operation === "Update" && subresource === undefined;
}

function isOwn({ manager, operation, subresource }: ManagedFields): boolean {
  return manager === FIELD_MANAGER && operation === "Apply" && subresource === undefined;
}

/** Whatever either has. No members: all of the field. */
function unionOf(sets: readonly FieldSet[]): FieldSet {
  const result: Record<string, FieldSet> = {};
  for (const set of sets)
    for (const [step, inner] of Object.entries(set)) result[step] = step in result ? unionOf([result[step] ?? {}, inner]) : inner;
  return result;
}
