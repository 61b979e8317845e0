// What install asks a cluster before it prints: which of our CRDs are there already, brought by somebody else, and whether
// the mesh can run there at all.
import type { Clock } from "../../common/clock.ts";
import { ApiError, fromThrown } from "../../kube/api-error.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import { getJson } from "../../kube/get-json.ts";
import { describeTooOld, kubernetesVersion } from "../../kube/kubernetes-version.ts";
import { INSTALLATION_LABEL } from "../../manifests/install/installation-label.ts";

/** A person waits, and without an answer all are printed. */
const WITHIN_MS = 2000;
/** No namespace has this name. */
const FOREIGN = "";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

export interface CrdsInCluster {
  /** Of the names, those of CRDs that don't carry our label. */
  readonly foreign: readonly string[];
  /** Namespaces of the installations that the others belong to. */
  readonly installations: readonly string[];
}

/** @throws ApiError when the cluster gives no answer in time, or refuses it. */
export async function crdsInCluster(connection: ClusterConnection, names: readonly string[], clock: Clock): Promise<CrdsInCluster> {
  let cancel = (): void => undefined;
  // Credentials may come from a program of the user's, which knows of no limit.
  const tooLate = new Promise<never>((_, reject) => {
    cancel = clock.after(WITHIN_MS, () => reject(new ApiError(0, "", `no answer within ${WITHIN_MS / 1000} s`)));
  });
  try {
    const owners = await Promise.race([Promise.all(names.map((name) => ownerOf(connection, name, clock))), tooLate]);
    return {
      foreign: names.filter((_, index) => owners[index] === FOREIGN),
      installations: owners.filter((each) => each !== undefined && each !== FOREIGN) as readonly string[],
    };
  } finally {
    cancel();
  }
}

/** Undefined also for a server that keeps its version to itself. */
export async function whyTooOld(connection: ClusterConnection, clock: Clock): Promise<string | undefined> {
  const version = await kubernetesVersion(connection, { clock, timeoutMs: WITHIN_MS }).catch(() => undefined);
  return version?.isTooOld === true ? describeTooOld(version) : undefined;
}

/** The namespace of the installation that it belongs to; undefined: there is no such CRD. */
async function ownerOf(connection: ClusterConnection, name: string, clock: Clock): Promise<string | undefined> {
  try {
    const crd = (await getJson(connection, `${CRDS}/${name}`, {}, { clock, timeoutMs: WITHIN_MS })) as {
      metadata?: { labels?: Readonly<Record<string, string>> };
    };
    return crd.metadata?.labels?.[INSTALLATION_LABEL] ?? FOREIGN;
  } catch (error) {
    const failure = fromThrown(error);
    if (failure.code === 404) return undefined;
    throw failure;
  }
}
