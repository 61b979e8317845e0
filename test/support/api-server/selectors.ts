// Label and field selectors of lists and watches, as far as our own code uses them: equality and presence.
import type { StoredObject } from "./object-store.ts";

export function toSelector(query: URLSearchParams): (object: StoredObject) => boolean {
  const labels = termsOf(query.get("labelSelector"));
  const fields = termsOf(query.get("fieldSelector"));
  return (object) =>
    labels.every((term) => matches(term, (object.metadata["labels"] as Record<string, string> | undefined) ?? {})) &&
    fields.every((term) => matches(term, { "metadata.name": object.metadata.name, "metadata.namespace": object.metadata.namespace ?? "" }));
}

function termsOf(text: string | null): string[] {
  return (text ?? "").split(",").filter((each) => each !== "");
}

function matches(term: string, values: Readonly<Record<string, string>>): boolean {
  const [, key, operator, value] = /^([^=!]+)(!=|==?)?(.*)$/.exec(term) ?? [];
  if (key === undefined) return values[term.slice(1)] === undefined;
  if (operator === undefined) return values[key] !== undefined;
  return operator === "!=" ? values[key] !== value : values[key] === value;
}
