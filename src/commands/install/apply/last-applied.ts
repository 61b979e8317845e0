// What an apply takes away besides what it sets: fields that `kubectl apply` has set last time, which the new version of the
// object leaves out. kubectl keeps what it applied in an annotation.
import type { KubeObject } from "../../../kube/resource-kind.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

type Json = Readonly<Record<string, unknown>>;

/** @param answer of a dry run, in which kubectl's fields still stand. @param next what is applied. */
export function withoutAbandoned(live: KubeObject, next: unknown, answer: KubeObject): KubeObject {
  const { annotations } = live.metadata as { readonly annotations?: Readonly<Record<string, string>> };
  const before = parse(annotations?.[LAST_APPLIED]);
  return before === undefined ? answer : (subtract(answer, before, next) as KubeObject);
}

function parse(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as unknown;
    return isMap(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The value without what `before` has and `after` hasn't; items of lists go by their name, where they have one. */
function subtract(value: unknown, before: unknown, after: unknown): unknown {
  if (isMap(value) && isMap(before) && isMap(after)) {
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, member]) => {
        if (!(key in before)) return [[key, member]];
        return key in after ? [[key, subtract(member, before[key], after[key])]] : [];
      }),
    );
  }
  if (!isNamedList(value) || !isNamedList(before) || !isNamedList(after)) return value;
  return value.flatMap((item) => {
    const [old, next] = [before, after].map((list) => list.find(({ name }) => name === item["name"]));
    if (old === undefined) return [item];
    return next === undefined ? [] : [subtract(item, old, next)];
  });
}

function isMap(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNamedList(value: unknown): value is readonly Json[] {
  return Array.isArray(value) && value.every((each) => isMap(each) && typeof each["name"] === "string");
}
