// JSON Patch (RFC 6902), the operations that the injector uses: the webhook sends them to the API server, the local
// mesh applies them here.

export interface JsonPatchOperation {
  readonly op: "add" | "replace" | "remove";
  /** JSON Pointer, RFC 6901; `-` at its end appends to a list. */
  readonly path: string;
  readonly value?: unknown;
}

/** One step of a JSON Pointer. */
export function escapePointer(step: string): string {
  return step.replaceAll("~", "~0").replaceAll("/", "~1");
}

function unescapePointer(step: string): string {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** Applies the operations in order to a copy; throws when a path's parent doesn't exist, as an API server would refuse. */
export function applyJsonPatch<T>(document: T, operations: readonly JsonPatchOperation[]): T {
  const result = copyOf(document);
  for (const operation of operations) {
    const steps = operation.path.split("/").slice(1).map(unescapePointer);
    const last = steps.pop();
    if (last === undefined) throw new Error("a patch of the whole document is not supported");
    let parent: unknown = result;
    for (const step of steps) parent = (parent as Record<string, unknown> | undefined)?.[step];
    if (typeof parent !== "object" || parent === null) throw new Error(`patch ${operation.op} ${operation.path}: no such parent`);
    if (Array.isArray(parent)) patchList(parent, last, operation);
    else if (operation.op === "remove") delete (parent as Record<string, unknown>)[last];
    else (parent as Record<string, unknown>)[last] = copyOf(operation.value);
  }
  return result;
}

/** Unlike structuredClone's, each place has a copy of its own of what YAML's aliases share. */
function copyOf<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copyOf(member as unknown)])) as T;
}

function patchList(list: unknown[], step: string, operation: JsonPatchOperation): void {
  const index = step === "-" ? list.length : Number(step);
  if (!Number.isInteger(index) || index < 0 || index > list.length)
    throw new Error(`patch ${operation.op} ${operation.path}: no such index`);
  if (operation.op === "add") list.splice(index, 0, copyOf(operation.value));
  else if (operation.op === "remove") list.splice(index, 1);
  else list[index] = copyOf(operation.value);
}
