// What applying an installation would do, object by object, found out before anything is changed: the API server carries out
// every apply without keeping it. In a namespace that is yet to be made it can't; there it is asked for permission only.
import { isDeepStrictEqual } from "node:util";
import { UserError } from "../../../common/user-error.ts";
import { fromThrown } from "../../../kube/api-error.ts";
import type { ApiError } from "../../../kube/api-error.ts";
import { Discovery } from "../../../kube/discovery.ts";
import { retried } from "../../../kube/retried.ts";
import type { KubeObject as LiveObject } from "../../../kube/resource-kind.ts";
import type { KubeObject } from "../../../manifests/kube-objects.ts";
import { INSTALLATION_LABEL } from "../../../manifests/install/installation-label.ts";
import { CRD, NAMESPACE } from "../../../manifests/install/installed-kinds.ts";
import { asWritten, describeObject } from "./object-diff.ts";
import type { Cluster } from "../live/open-cluster.ts";
import { FIELD_MANAGER, foreignConflicts, isConflict } from "./field-ownership.ts";
import type { FieldConflict } from "./field-ownership.ts";
import { withoutAbandoned } from "./last-applied.ts";
import { toDraft } from "./to-draft.ts";

export interface PlannedObject {
  readonly object: KubeObject;
  /** As the cluster has it. */
  readonly live: LiveObject | undefined;
  /** As it would be then; undefined where the server could not try it. */
  readonly next: LiveObject | undefined;
  readonly conflicts: readonly FieldConflict[];
}

export interface Plan {
  readonly objects: readonly PlannedObject[];
  /** CRDs that another mesh brought: they are left alone. */
  readonly foreign: readonly string[];
}

/** @throws UserError with everything that stands in the way of applying them. */
export async function planObjects(cluster: Cluster, objects: readonly KubeObject[]): Promise<Plan> {
  const found = await Promise.all(objects.map(async (object) => ({ object, live: await settle(read(cluster, object)) })));
  refuse(found.flatMap(({ object, live }) => (live.error === undefined ? [] : [problemOf(object, live.error)])));
  const known = found.map(({ object, live }) => ({ object, live: live.value }));
  const isForeign = ({ object, live }: { object: KubeObject; live: LiveObject | undefined }): boolean =>
    object.kind === CRD.kind && live !== undefined && labelOf(live) === undefined;
  const ours = known.filter((each) => !isForeign(each));
  refuseAnotherInstallation(ours);
  const missing = new Set(ours.filter(({ object, live }) => object.kind === NAMESPACE.kind && live === undefined).map(nameOf));
  const tried = await Promise.all(
    ours.map(async ({ object, live }) => ({ object, live, outcome: await settle(tryOut(cluster, object, live, missing)) })),
  );
  refuse(tried.flatMap(({ object, outcome }) => (outcome.error === undefined ? [] : [problemOf(object, outcome.error)])));
  return {
    objects: tried.map(({ object, live, outcome }) => ({
      object,
      live,
      next: outcome.value?.next,
      conflicts: outcome.value?.conflicts ?? [],
    })),
    foreign: known.filter(isForeign).map(nameOf),
  };
}

/** As kubectl says it. */
export function changeOf({ live, next }: PlannedObject): "created" | "configured" | "unchanged" {
  if (live === undefined) return "created";
  return next !== undefined && isDeepStrictEqual(asWritten(live), asWritten(next)) ? "unchanged" : "configured";
}

/** @throws UserError when others manage fields that the installation sets. */
export function refuseConflicts(planned: readonly PlannedObject[]): void {
  const lines = planned.flatMap(({ object, conflicts }) =>
    conflicts.map(({ manager, field }) => `  ${describeObject(toDraft(object))}: ${field} is managed by ${manager}`),
  );
  if (lines.length === 0) return;
  throw new UserError(
    ["others manage fields that the installation sets, to other values; nothing was applied:", ...lines].join("\n"),
    "give the values that should be with --set, or take the fields over with --force-conflicts",
  );
}

function read({ objects, clock }: Cluster, object: KubeObject): Promise<LiveObject | undefined> {
  const { apiVersion, kind, metadata } = object;
  return retried(clock, () => objects.get({ apiVersion, kind, namespace: metadata.namespace, name: metadata.name ?? "" }));
}

async function tryOut(
  cluster: Cluster,
  object: KubeObject,
  live: LiveObject | undefined,
  missing: ReadonlySet<string>,
): Promise<{ next: LiveObject | undefined; conflicts: readonly FieldConflict[] }> {
  const { namespace } = object.metadata;
  if (namespace !== undefined && missing.has(namespace)) {
    await requirePermission(cluster, object, namespace);
    return { next: undefined, conflicts: [] };
  }
  const apply = (force: boolean): Promise<LiveObject> =>
    retried(cluster.clock, () =>
      cluster.objects.serverSideApply(toDraft(object), { fieldManager: FIELD_MANAGER, dryRun: true, fieldValidation: "Strict", force }),
    );
  let conflicts: readonly FieldConflict[] = [];
  let next: LiveObject;
  try {
    next = await apply(false);
  } catch (error) {
    const failure = fromThrown(error);
    if (!isConflict(failure)) throw failure;
    conflicts = foreignConflicts(failure);
    next = await apply(true);
  }
  return { next: live === undefined ? next : withoutAbandoned(live, object, next), conflicts };
}

/** Applying what isn't there asks for both verbs. @throws Error */
async function requirePermission(cluster: Cluster, object: KubeObject, namespace: string): Promise<void> {
  const { connection, clock, objects } = cluster;
  const found = await retried(clock, () => Discovery.of(connection).find(object, { clock, timeoutMs: 10_000 }));
  if (found === undefined) throw new Error(`the server has no kind ${object.kind} in ${object.apiVersion}`);
  const group = object.apiVersion.includes("/") ? object.apiVersion.replace(/\/.*/, "") : "";
  for (const verb of ["create", "patch"]) {
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      metadata: {},
      spec: { resourceAttributes: { verb, group, resource: found.plural, namespace } },
    };
    const { status } = (await retried(clock, () => objects.create(review))) as { status?: { allowed?: boolean } };
    if (status?.allowed !== true) throw new Error(`you may not ${verb} ${found.plural} in namespace ${namespace}`);
  }
}

function refuseAnotherInstallation(found: readonly { object: KubeObject; live: LiveObject | undefined }[]): void {
  for (const { object, live } of found) {
    if (live === undefined) continue;
    const [is, wants] = [labelOf(live), object.metadata.labels?.[INSTALLATION_LABEL]];
    // CRDs are what uninstall leaves: they belong to whoever comes next.
    if (is !== undefined && is !== wants && object.kind !== CRD.kind)
      throw new UserError(
        `${describeObject(live)} belongs to the installation in namespace ${is}; a cluster has one`,
        `install with --set namespace=${is}, or remove that one first with meshctl uninstall`,
      );
    if (object.kind === NAMESPACE.kind && "deletionTimestamp" in live.metadata)
      throw new UserError(`namespace ${nameOf({ object })} is being deleted`, "run the command again when it is gone");
  }
}

function labelOf({ metadata }: LiveObject): string | undefined {
  return (metadata as { readonly labels?: Readonly<Record<string, string>> }).labels?.[INSTALLATION_LABEL];
}

function nameOf({ object }: { readonly object: KubeObject }): string {
  return object.metadata.name ?? "";
}

async function settle<T>(promise: Promise<T>): Promise<{ value?: T; error?: ApiError }> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: fromThrown(error) }),
  );
}

function problemOf(object: KubeObject, { message }: ApiError): string {
  return `${describeObject(toDraft(object))}: ${message}`;
}

function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new UserError(
    ["the cluster refuses the installation; nothing was applied:", ...problems.map((each) => `  ${each}`)].join("\n"),
    "see what each needs; `meshctl check --pre` asks for all permissions at once",
  );
}
