// Prints this version's installation with the cluster's values, what it changes, or what is left over; or applies it.
import type { CommandContext } from "../../cli/command.ts";
import { hasColour, styleFor } from "../../cli/style.ts";
import { UserError } from "../../common/user-error.ts";
import { compareVersions, VERSION } from "../../common/version.ts";
import { controlPlaneObjects, installedCrds, toYaml } from "../../manifests/install/installation.ts";
import { CRD, superfluous } from "../../manifests/install/installed-kinds.ts";
import type { ResolvedValues } from "../../manifests/install/profiles.ts";
import type { KubeObject } from "../../manifests/kube-objects.ts";
import { applyModeOf, requireOneOf } from "./apply-mode.ts";
import { applyInstallation } from "./apply/apply-installation.ts";
import { planObjects } from "./apply/plan.ts";
import { toDraft } from "./apply/to-draft.ts";
import { crdsInCluster } from "./crds-in-cluster.ts";
import { deletionList } from "./deletion-list.ts";
import { describeObject, objectDiff } from "./apply/object-diff.ts";
import { refuseValues, resolveGivenValues } from "./given-values.ts";
import { findInstallation, listInstalled } from "./live/find-installation.ts";
import type { Installation } from "./live/find-installation.ts";
import { openCluster, requireKubernetes, toUserError } from "./live/open-cluster.ts";
import type { Cluster } from "./live/open-cluster.ts";
import { requireTrustChain } from "./live/trust-chain.ts";

export async function run(context: CommandContext): Promise<void> {
  const { options, stderr } = context;
  requireOneOf(context, [
    ["apply", "--apply"],
    ["diff", "--diff"],
    ["prune", "--prune"],
  ]);
  const mode = applyModeOf(context);
  const cluster = await openCluster(context);
  try {
    await requireKubernetes(cluster);
    const installation = await findInstallation(cluster);
    const resolved = await resolveUpgrade(context, installation);
    await requireTrustChain(cluster, installation.namespace);
    const crds = options["skipCrds"] === true ? [] : installedCrds(resolved);
    const objects = [...crds, ...controlPlaneObjects(resolved)];
    if (options["prune"] === true) return await printPruned(context, cluster, [...installedCrds(resolved), ...objects]);
    tellImage(context, installation, resolved);
    if (options["diff"] === true) return await printDiff(context, cluster, objects);
    if (mode === undefined) return await print(context, cluster, objects);
    await applyInstallation(context, cluster, objects, { mode });
    const { version = "an unknown version" } = installation.kept;
    if (!mode.isDry) stderr.write(`upgraded ${installation.namespace} from ${version} to ${VERSION}\n`);
  } finally {
    cluster.connection.close();
  }
}

/** @throws UserError when the cluster's values can't be used, or this version is older. */
async function resolveUpgrade({ options }: CommandContext, { namespace, kept }: Installation): Promise<ResolvedValues> {
  refuseValues(kept.problems, "mend the ConfigMap with kubectl edit, or install anew with meshctl install and all values");
  if (kept.version !== undefined && (compareVersions(kept.version, VERSION) ?? 0) > 0)
    throw new UserError(
      `the cluster has meshctl ${kept.version}, and this is ${VERSION}: an upgrade never goes back`,
      `use meshctl ${kept.version} or newer; to go back all the same, install this version anew with meshctl install`,
    );
  const resolved = await resolveGivenValues(options, [kept.layer]);
  if (resolved.values.namespace !== namespace)
    throw new UserError(
      `the installation is in namespace ${namespace}, and can't move to ${resolved.values.namespace}`,
      "leave the value out, or uninstall and install anew",
    );
  return resolved;
}

/** An image that was given for an older version stays, or the values would not be kept. */
function tellImage({ stderr }: CommandContext, { kept }: Installation, { given }: ResolvedValues): void {
  const { image } = given;
  if (image === undefined || kept.version === undefined || kept.version === VERSION || kept.layer.image !== image) return;
  stderr.write(`the image stays ${image}, as the cluster's values say; --set image=… gives that of ${VERSION}\n`);
}

async function print({ stdout, stderr }: CommandContext, cluster: Cluster, objects: readonly KubeObject[]): Promise<void> {
  const { connection, clock } = cluster;
  const names = objects.filter(({ kind }) => kind === CRD.kind).map(({ metadata }) => metadata.name ?? "");
  const { foreign } = await crdsInCluster(connection, names, clock).catch((error: unknown) => {
    throw toUserError(error, connection, "see which CustomResourceDefinitions are of another mesh");
  });
  if (foreign.length > 0) stderr.write(`left out, because the cluster has them from elsewhere: ${foreign.join(", ")}\n`);
  stdout.write(toYaml(objects.filter(({ kind, metadata }) => kind !== CRD.kind || !foreign.includes(metadata.name ?? ""))));
}

async function printDiff({ stdout, stderr, env }: CommandContext, cluster: Cluster, objects: readonly KubeObject[]): Promise<void> {
  const { objects: planned, foreign } = await planObjects(cluster, objects);
  if (foreign.length > 0) stderr.write(`left alone, because the cluster has them from elsewhere: ${foreign.join(", ")}\n`);
  const diffs = planned.map(({ object, live, next }) => objectDiff(live, next ?? toDraft(object), `meshctl ${VERSION}`));
  for (const { object, conflicts } of planned)
    for (const { manager, field } of conflicts)
      stderr.write(`${describeObject(toDraft(object))}: ${field} is managed by ${manager}; applying it needs --force-conflicts\n`);
  const text = diffs.join("");
  if (text === "") stderr.write("nothing would change\n");
  const style = styleFor(stdout, env);
  stdout.write(hasColour(stdout, env) ? text.replace(/^[-+@].*$/gm, (line) => coloured(line, style)) : text);
}

function coloured(line: string, style: ReturnType<typeof styleFor>): string {
  if (/^(---|\+\+\+) /.test(line)) return style.bold(line);
  return line.startsWith("@") ? style.cyan(line) : line.startsWith("+") ? style.green(line) : style.red(line);
}

async function printPruned({ stdout, stderr }: CommandContext, cluster: Cluster, objects: readonly KubeObject[]): Promise<void> {
  const left = superfluous(await listInstalled(cluster), objects);
  // Whose CRD goes, goes with it.
  const crds = left.filter(({ kind }) => kind === CRD.kind);
  for (const each of crds)
    stderr.write(`${describeObject(toDraft(each))} is no longer read; it stays, because its objects would go with it\n`);
  const pruned = left.filter((each) => !crds.includes(each));
  if (pruned.length === 0) stderr.write("nothing to prune\n");
  stdout.write(deletionList(pruned));
}
