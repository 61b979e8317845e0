// What an administrator does on a real API server before a test begins, and what a controller gives the pods then.
import assert from "node:assert/strict";
import type { KubeObjects } from "../../../src/kube/objects.ts";
import { eventually } from "../eventually.ts";
import { runMeshctl } from "../run-meshctl.ts";
import type { RealCluster } from "./real-cluster.ts";

const ROOTS_TIMEOUT_MS = 60_000;

/** `meshctl install --offline ARGS | kubectl apply -f -`. @returns what was applied */
export async function applyInstallation(cluster: RealCluster, ...args: readonly string[]): Promise<string> {
  const { stdout } = await runMeshctl(["install", "--offline", ...args]);
  const { code, stderr } = await cluster.kubectl(["apply", "-f", "-"], stdout);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** The mesh's roots as they stand in a namespace now, in PEM. */
export async function rootsIn(objects: KubeObjects, namespace: string): Promise<string | undefined> {
  const found = await objects.get({ apiVersion: "v1", kind: "ConfigMap", namespace, name: "meshctl-root-cert" });
  return (found?.["data"] as Record<string, string> | undefined)?.["root-cert.pem"];
}

/** As soon as a controller has put them there. */
export function awaitRoots(objects: KubeObjects, namespace: string): Promise<string> {
  return eventually(async () => (await rootsIn(objects, namespace)) ?? assert.fail(`no roots in namespace ${namespace}`), {
    withinMs: ROOTS_TIMEOUT_MS,
  });
}
