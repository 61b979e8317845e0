// The objects of an installation as they stand in templates/install/: plain YAML, one object to a file.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseYamlDocuments } from "../../common/yaml.ts";
import type { KubeObject } from "../kube-objects.ts";

/** @throws Error when the installed meshctl has no such file, or it is no object. */
export function readTemplate<Kind extends KubeObject>(name: string): Kind {
  const path = join(templatesFolder(), `${name}.yaml`);
  const { documents, problems } = parseYamlDocuments(readFileSync(path, "utf8"), path);
  if (problems.length > 0 || documents.length !== 1) throw new Error(`${path} is not one YAML document`);
  return documents[0]?.value as Kind;
}

/** Of all of them. */
export function templateNames(): string[] {
  return readdirSync(templatesFolder()).map((each) => each.replace(/\.yaml$/, ""));
}

/** templates/ stands beside dist/, or beside src/ in a checkout. */
function templatesFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const candidate = join(folder, "templates", "install");
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) throw new Error(`no folder templates/install above ${import.meta.dirname}`);
  }
}
