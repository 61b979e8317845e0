// Where the programs of a real API server are; envtest's convention. scripts/kubernetes-assets.ts builds them.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const FOLDER = process.env["KUBEBUILDER_ASSETS"] ?? "";

export function asset(name: "etcd" | "kube-apiserver" | "kubectl"): string {
  return join(resolve(FOLDER), name);
}

function whyNot(): string | undefined {
  if (FOLDER === "") return "needs a real API server: KUBEBUILDER_ASSETS names no folder";
  const missing = (["etcd", "kube-apiserver", "kubectl"] as const).filter((each) => !existsSync(asset(each)));
  if (missing.length > 0) throw new Error(`KUBEBUILDER_ASSETS=${FOLDER} lacks ${missing.join(", ")}`);
  return process.getuid?.() === 0 ? undefined : "needs root for a network namespace";
}

/** Why the tests that need a real API server are skipped; undefined: they aren't. */
export const SKIPPED = whyNot();
/** For each test, so that every one that is skipped is counted. */
export const REAL = SKIPPED === undefined ? {} : { skip: SKIPPED };
