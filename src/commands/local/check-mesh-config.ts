// What the controller would refuse in the user's YAML, found before anything starts: wrong fields of the mesh API and
// of the Kubernetes kinds that it reads.
import { readFileSync } from "node:fs";
import { parseFile } from "../../control-plane/ingest/parse-file.ts";
import { formatConfigProblem } from "../../control-plane/ingest/raw-object.ts";
import { validate } from "../../control-plane/ingest/validate.ts";
import { listFiles } from "../../local/cluster/manifest-set.ts";

/** Every problem with file, line, column and field. */
export function findConfigProblems(sources: readonly string[]): string[] {
  return sources.flatMap(listFiles).flatMap((file) => {
    const { objects, problems } = parseFile(readFileSync(file, "utf8"), file);
    const invalid = objects.map(validate).flatMap((result) => (result.ok ? [] : result.problems));
    return [...problems, ...invalid].map(formatConfigProblem);
  });
}
