// The users' own objects of the mesh API: what goes when its CRD, or the namespace of the control plane, goes.
import type { ApiError } from "../../../kube/api-error.ts";
import { fromThrown } from "../../../kube/api-error.ts";
import { getJson } from "../../../kube/get-json.ts";
import { retried } from "../../../kube/retried.ts";
import { CRD } from "../../../manifests/install/installed-kinds.ts";
import type { KubeObject } from "../../../manifests/kube-objects.ts";
import { toUserError } from "./open-cluster.ts";
import type { Cluster } from "./open-cluster.ts";

const TIMEOUT_MS = 30_000;

export interface UsersObjects {
  /** Of the CRD. */
  readonly kind: string;
  readonly count: number;
}

interface CrdSpec {
  readonly group: string;
  readonly names: { readonly kind: string; readonly plural: string };
  readonly versions: readonly { readonly name: string; readonly served: boolean }[];
}

/**
 * How many objects each CRD of the list has, without reading them.
 * @param namespace undefined: in all. @throws UserError
 */
export async function countUsersObjects(
  cluster: Cluster,
  installed: readonly KubeObject[],
  namespace: string | undefined,
): Promise<UsersObjects[]> {
  const crds = installed.filter(({ kind }) => kind === CRD.kind);
  return Promise.all(
    crds.map(async (crd) => {
      const { group, names, versions } = (crd as unknown as { readonly spec: CrdSpec }).spec;
      const version = versions.find(({ served }) => served)?.name;
      const within = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
      const count = version === undefined ? 0 : await countAt(cluster, `/apis/${group}/${version}${within}/${names.plural}`, names.kind);
      return { kind: names.kind, count };
    }),
  );
}

/** One object is read, and how many follow it is told with it. */
async function countAt({ connection, clock }: Cluster, path: string, kind: string): Promise<number> {
  try {
    const page = (await retried(clock, () => getJson(connection, path, { limit: 1 }, { clock, timeoutMs: TIMEOUT_MS }))) as {
      metadata?: { remainingItemCount?: number };
      items?: readonly unknown[] | null;
    };
    return (page.items?.length ?? 0) + (page.metadata?.remainingItemCount ?? 0);
  } catch (error) {
    const failure: ApiError = fromThrown(error);
    if (failure.code === 404) return 0;
    throw toUserError(failure, connection, `count the objects of kind ${kind}`);
  }
}

/** `3 VirtualService, 1 DestinationRule`; empty where there are none. */
export function describeCounts(counts: readonly UsersObjects[]): string {
  return counts
    .filter(({ count }) => count > 0)
    .map(({ kind, count }) => `${count} ${kind}`)
    .join(", ");
}
