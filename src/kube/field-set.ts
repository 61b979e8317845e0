// Sets of fields as API servers write them into managedFields (FieldsV1): who manages what. `f:name` is a member of a map,
// `k:{…}` an item of a list by its keys, `v:…` a value of a set, `.` the thing itself. No members: all of it.

export interface FieldSet {
  readonly [step: string]: FieldSet;
}

/** An entry of an object's metadata.managedFields. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: FieldSet;
}

export function unionOf(sets: readonly FieldSet[]): FieldSet {
  const result: Record<string, FieldSet> = {};
  for (const set of sets)
    for (const [step, inner] of Object.entries(set)) result[step] = step in result ? unionOf([result[step] ?? {}, inner]) : inner;
  return result;
}

/** What of `set` is not in `other`. */
export function differenceOf(set: FieldSet, other: FieldSet): FieldSet {
  const result: Record<string, FieldSet> = {};
  for (const [step, inner] of Object.entries(set)) {
    const others = other[step];
    if (others === undefined) result[step] = inner;
    else if (!isAll(inner) && !isAll(others)) {
      const rest = differenceOf(inner, others);
      if (!isAll(rest)) result[step] = rest;
    }
  }
  return result;
}

/** The value without the fields of a set; what is not there, or can't be told, stays. */
export function withoutFields(value: unknown, set: FieldSet): unknown {
  if (Array.isArray(value)) return value.flatMap((item) => withoutItem(item, set));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => {
      const inner = set[`f:${name}`];
      if (inner === undefined) return [[name, member]];
      return isAll(inner) ? [] : [[name, withoutFields(member, inner)]];
    }),
  );
}

function withoutItem(item: unknown, set: FieldSet): unknown[] {
  if (set[`v:${JSON.stringify(item)}`] !== undefined) return [];
  const found = Object.entries(set).find(([step]) => step.startsWith("k:") && hasKeys(item, step.slice("k:".length)));
  if (found === undefined) return [item];
  const [, inner] = found;
  return isAll(inner) || inner["."] !== undefined ? [] : [withoutFields(item, inner)];
}

function hasKeys(item: unknown, keys: string): boolean {
  const wanted = Object.entries(JSON.parse(keys) as Record<string, unknown>);
  return typeof item === "object" && item !== null && wanted.every(([name, value]) => (item as Record<string, unknown>)[name] === value);
}

function isAll(set: FieldSet): boolean {
  return Object.keys(set).length === 0;
}
