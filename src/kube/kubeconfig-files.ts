// Which files are the kubeconfig, and whether they name a cluster. Apart from what reads them whole, because the
// Kubernetes client takes its time to load.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseYamlDocuments } from "../common/yaml.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Those of $KUBECONFIG, else ~/.kube/config; they need not exist. */
export function kubeconfigPaths(env: Environment): string[] {
  const listed = (env["KUBECONFIG"] ?? "").split(":").filter((each) => each !== "");
  return listed.length > 0 ? listed : [join(env["HOME"] ?? "/", ".kube/config")];
}

/** The first that a file names, as kubectl merges them; undefined where none does. */
export function currentContext(env: Environment): string | undefined {
  for (const path of kubeconfigPaths(env)) {
    const context = readCurrentContext(path);
    if (context !== undefined) return context;
  }
  return undefined;
}

function readCurrentContext(path: string): string | undefined {
  try {
    const value = parseYamlDocuments(readFileSync(path, "utf8"), path).documents[0]?.value as { "current-context"?: unknown } | null;
    const context = value?.["current-context"];
    return typeof context === "string" && context !== "" ? context : undefined;
  } catch {
    // What is wrong with it is told by whoever needs it.
    return undefined;
  }
}
