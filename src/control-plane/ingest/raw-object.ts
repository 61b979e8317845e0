// What a source hands to ingest: one object as it was written, with the place of its fields; and what comes back when
// it cannot be used.
import type { FieldPath, Position } from "../../common/yaml.ts";

export interface Origin {
  /** File name, or `cluster`: what tells a person where the object comes from. */
  readonly file: string;
  locate(path: FieldPath): Position;
}

export interface RawObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The whole object, as JSON-like data. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly origin: Origin;
}

/** `Kind namespace/name`: unique in the mesh. API versions of one kind name the same object. */
export type ObjectKey = string;

export function objectKey(object: { readonly kind: string; readonly namespace: string; readonly name: string }): ObjectKey {
  return `${object.kind} ${object.namespace}/${object.name}`;
}

/** A problem of the configuration, with everything a person needs to find it. */
export interface ConfigProblem {
  readonly file: string;
  /** 0: it is no text; objects of a cluster have neither line nor column. */
  readonly line: number;
  readonly column: number;
  /** `Kind namespace/name`; undefined when the file could not be read as objects at all. */
  readonly object: ObjectKey | undefined;
  /** Field path such as `spec.http[0].route`; empty for the whole object. */
  readonly field: string;
  readonly message: string;
}

/** `shop.yaml:12:7: VirtualService shop/payments: spec.http[0].timeout: message`. */
export function formatConfigProblem(problem: ConfigProblem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  return [place, problem.object, problem.field, problem.message].filter((each) => each !== undefined && each !== "").join(": ");
}
