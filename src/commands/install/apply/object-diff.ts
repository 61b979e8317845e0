// What changes in an object of the cluster, for people: without what the API server itself writes into it.
import { unifiedDiff } from "../../../cli/unified-diff.ts";
import { dumpYaml } from "../../../common/yaml.ts";
import type { ObjectDraft } from "../../../kube/objects.ts";

const OF_THE_SERVER: ReadonlySet<string> = new Set([
  "creationTimestamp",
  "generation",
  "managedFields",
  "resourceVersion",
  "selfLink",
  "uid",
]);
/** Notes that kubectl and the Deployment's controller leave for themselves. */
const NOTES: ReadonlySet<string> = new Set(["deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"]);

/** The object as somebody would write it. */
export function asWritten({ status: _status, ...object }: ObjectDraft): ObjectDraft {
  const metadata = Object.fromEntries(
    Object.entries(object.metadata).flatMap(([name, value]) => {
      if (OF_THE_SERVER.has(name)) return [];
      if (name !== "annotations" || typeof value !== "object" || value === null) return [[name, value]];
      const annotations = Object.entries(value).filter(([key]) => !NOTES.has(key));
      return annotations.length === 0 ? [] : [[name, Object.fromEntries(annotations)]];
    }),
  );
  return { ...object, metadata };
}

/** `Deployment mesh-system/controller`. */
export function describeObject({ kind, metadata: { namespace, name = "" } }: ObjectDraft): string {
  return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}

/**
 * With a heading, as diff -u has it; empty where nothing changes.
 * @param live undefined: it is new. @param source what brings the change, for the heading.
 */
export function objectDiff(live: ObjectDraft | undefined, next: ObjectDraft, source: string): string {
  const name = describeObject(next);
  return unifiedDiff(
    live === undefined ? { name: "/dev/null", text: "" } : { name: `${name} (in the cluster)`, text: dumpYaml(asWritten(live)) },
    { name: `${name} (${source})`, text: dumpYaml(asWritten(next)) },
  );
}
