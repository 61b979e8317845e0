// The patches that the API server double carries out. Server-side apply is only its merge, also of lists whose members have
// names: who owns which field is the real server's work.
import { ApiFailure } from "./api-status.ts";

type Json = Record<string, unknown>;

export function applyPatch(contentType: string, target: Json, patch: unknown): Json {
  switch (contentType.split(";")[0]) {
    case "application/merge-patch+json":
      return mergePatch(target, patch) as Json;
    case "application/apply-patch+yaml":
      return mergePatch(target, patch, mergeByName) as Json;
    case "application/json-patch+json":
      return jsonPatch(target, patch as readonly { op: string; path: string; value?: unknown }[]);
    default:
      throw new ApiFailure(415, "UnsupportedMediaType", `the body of the request was in an unknown format: ${contentType}`);
  }
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown, mergeList = (_target: unknown, list: readonly unknown[]): unknown => list): unknown {
  if (Array.isArray(patch)) return mergeList(target, patch);
  if (!isRecord(patch)) return patch;
  const result: Json = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value, mergeList);
  }
  return result;
}

/** As lists of type map with the key `name`. */
function mergeByName(target: unknown, list: readonly unknown[]): unknown {
  const old: readonly unknown[] = Array.isArray(target) ? target : [];
  const nameOf = (each: unknown): unknown => (isRecord(each) ? each["name"] : undefined);
  if (![...old, ...list].every((each) => typeof nameOf(each) === "string")) return list;
  const merged = old.map((each) => {
    const patch = list.find((other) => nameOf(other) === nameOf(each));
    return patch === undefined ? each : mergePatch(each, patch, mergeByName);
  });
  return [...merged, ...list.filter((each) => !old.some((other) => nameOf(other) === nameOf(each)))];
}

/** RFC 6902: add, remove, replace and test. */
function jsonPatch(target: Json, operations: readonly { op: string; path: string; value?: unknown }[]): Json {
  const result = structuredClone(target);
  for (const { op, path, value } of operations) {
    const steps = path
      .split("/")
      .slice(1)
      .map((each) => each.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = steps.pop() ?? "";
    let parent: unknown = result;
    for (const step of steps) parent = (parent as Json | undefined)?.[step];
    if (typeof parent !== "object" || parent === null) throw new ApiFailure(422, "Invalid", `the path ${path} does not exist`);
    const container = parent as Json;
    if (op === "test") {
      if (JSON.stringify(container[last]) !== JSON.stringify(value)) throw new ApiFailure(422, "Invalid", `testing path ${path} failed`);
    } else if (Array.isArray(parent)) {
      const index = last === "-" ? parent.length : Number(last);
      parent.splice(index, op === "add" ? 0 : 1, ...(op === "remove" ? [] : [value]));
    } else if (op === "remove") delete container[last];
    else container[last] = value;
  }
  return result;
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
