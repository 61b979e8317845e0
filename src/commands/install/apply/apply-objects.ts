// Applies what was planned, one object after the other. Each is told on standard output as kubectl tells it; whatever goes
// wrong, a person hears what has been changed already.
import { UserError } from "../../../common/user-error.ts";
import { fromThrown } from "../../../kube/api-error.ts";
import { retried } from "../../../kube/retried.ts";
import type { KubeObject as LiveObject } from "../../../kube/resource-kind.ts";
import type { KubeObject } from "../../../manifests/kube-objects.ts";
import { CRD } from "../../../manifests/install/installed-kinds.ts";
import { describeObject } from "./object-diff.ts";
import type { Cluster } from "../live/open-cluster.ts";
import { waitUntilEstablished } from "./established-crds.ts";
import { adoption, FIELD_MANAGER } from "./field-ownership.ts";
import type { PlannedObject } from "./plan.ts";
import { kubectlName, toDraft } from "./to-draft.ts";

export interface ApplyOptions {
  /** Takes over fields that others manage. */
  readonly force: boolean;
  readonly onApplied: (line: string) => void;
}

/** In the given order; objects behind the CRDs wait until those are served. @throws UserError */
export async function applyObjects(cluster: Cluster, planned: readonly PlannedObject[], { force, onApplied }: ApplyOptions): Promise<void> {
  const applied: string[] = [];
  let current = "";
  try {
    const crds = planned.map(({ object }) => object).filter(({ kind }) => kind === CRD.kind);
    for (const each of planned) {
      current = describeObject(toDraft(each.object));
      const change = await applyOne(cluster, each, force);
      applied.push(kubectlName(each.object));
      onApplied(`${kubectlName(each.object)} ${change}`);
      if (each.object !== crds.at(-1)) continue;
      current = "the CustomResourceDefinitions";
      await waitUntilEstablished(
        cluster,
        crds.map(({ metadata }) => metadata.name ?? ""),
      );
    }
  } catch (error) {
    throw halfApplied(error, current, applied, planned);
  }
}

async function applyOne(cluster: Cluster, { object, live }: PlannedObject, force: boolean): Promise<string> {
  const { clock, objects } = cluster;
  const before = live === undefined ? undefined : await adopt(cluster, object, live);
  const after = await retried(clock, () =>
    objects.serverSideApply(toDraft(object), { fieldManager: FIELD_MANAGER, fieldValidation: "Strict", force }),
  );
  if (before === undefined) return "created";
  return before === after.metadata.resourceVersion ? "unchanged" : "configured";
}

/** Makes the fields of kubectl's apply ours. @returns the resource version then; undefined when the object has gone meanwhile. */
async function adopt({ clock, objects }: Cluster, object: KubeObject, planned: LiveObject): Promise<string | undefined> {
  const { apiVersion, kind, metadata } = object;
  const name = { apiVersion, kind, namespace: metadata.namespace, name: metadata.name ?? "" };
  let live: LiveObject | undefined = planned;
  for (let isLast = false; live !== undefined; isLast = true) {
    const operations = adoption(live);
    if (operations === undefined) return live.metadata.resourceVersion;
    try {
      // Sent again after a cut connection it can only conflict, and is then made anew.
      return (await retried(clock, () => objects.jsonPatch(name, operations))).metadata.resourceVersion;
    } catch (error) {
      if (fromThrown(error).code !== 409 || isLast) throw error;
      live = await retried(clock, () => objects.get(name));
    }
  }
  return undefined;
}

function halfApplied(error: unknown, object: string, applied: readonly string[], planned: readonly PlannedObject[]): UserError {
  const what = error instanceof UserError ? error.message : `can't apply ${object}: ${fromThrown(error).message}`;
  const so = applied.length === 0 ? "nothing was applied" : `applied so far, ${applied.length} of ${planned.length}: ${applied.join(", ")}`;
  return new UserError(`${what}\n  ${so}`, "run the same command again: it goes on with what is left, and repeats nothing else");
}
