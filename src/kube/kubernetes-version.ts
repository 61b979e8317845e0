// Which Kubernetes a cluster runs, and whether the mesh can run there.
import type { ClusterConnection } from "./cluster-connection.ts";
import { getJson } from "./get-json.ts";
import type { GetOptions } from "./get-json.ts";

/** Native sidecars (init containers that go on running) are on by default since. */
export const OLDEST_KUBERNETES = { major: 1, minor: 29 } as const;

export interface KubernetesVersion {
  /** As the server calls itself: `v1.33.2-gke.1`. */
  readonly name: string;
  readonly isTooOld: boolean;
}

/** @throws ApiError */
export async function kubernetesVersion(connection: ClusterConnection, options: GetOptions): Promise<KubernetesVersion> {
  const { gitVersion } = (await getJson(connection, "/version", {}, options)) as { gitVersion?: unknown };
  return readKubernetesVersion(typeof gitVersion === "string" ? gitVersion : "");
}

/** A name that can't be read is not held against the server. */
export function readKubernetesVersion(name: string): KubernetesVersion {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(name) ?? [];
  const isTooOld =
    Number(major) < OLDEST_KUBERNETES.major || (Number(major) === OLDEST_KUBERNETES.major && Number(minor) < OLDEST_KUBERNETES.minor);
  return { name, isTooOld };
}

/** What is said of one that is too old. */
export function describeTooOld({ name }: KubernetesVersion): string {
  return `the cluster runs Kubernetes ${name.replace(/^v/, "")}; meshctl needs ${OLDEST_KUBERNETES.major}.${OLDEST_KUBERNETES.minor} or newer`;
}
