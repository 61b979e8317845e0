// Prints the installation, or applies it. What goes to standard output is for kubectl, or what was applied; what a person
// should know goes to standard error.
import { isDeepStrictEqual } from "node:util";
import type { CommandContext } from "../../cli/command.ts";
import { systemClock } from "../../common/clock.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { VERSION } from "../../common/version.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import type { CustomResourceDefinition } from "../../manifests/crd/custom-resource-definition.ts";
import { controlPlaneObjects, installedCrds, toYaml } from "../../manifests/install/installation.ts";
import { readKeptValues, VALUES_CONFIG_MAP } from "../../manifests/install/kept-values.ts";
import type { ResolvedValues } from "../../manifests/install/profiles.ts";
import type { KubeObject } from "../../manifests/kube-objects.ts";
import { applyModeOf } from "./apply-mode.ts";
import type { ApplyMode } from "./apply-mode.ts";
import type { Plan } from "./apply/plan.ts";
import { resolveGivenValues } from "./given-values.ts";

export async function run(context: CommandContext): Promise<void> {
  const { options, stdout } = context;
  const onlyCrds = options["crds"] === true;
  const skipCrds = options["skipCrds"] === true;
  if (onlyCrds && skipCrds)
    throw new UserError("--crds and --skip-crds together print nothing", "give one of them, or neither", USAGE_EXIT_CODE);
  const mode = applyModeOf(context);
  if (mode !== undefined && options["offline"] === true)
    throw new UserError("--apply and --offline contradict each other", "leave one of them out", USAGE_EXIT_CODE);
  const cluster = ["kubeconfig", "context", "as"].find((each) => options[each] !== undefined);
  if (cluster !== undefined && options["offline"] === true)
    throw new UserError(`--${cluster} and --offline contradict each other`, "leave one of them out", USAGE_EXIT_CODE);
  const resolved = await resolveGivenValues(options);
  const crds = skipCrds ? [] : installedCrds(resolved);
  const others = onlyCrds ? [] : controlPlaneObjects(resolved);
  if (mode !== undefined) return apply(context, [...crds, ...others], resolved, mode);
  stdout.write(toYaml([...(skipCrds ? [] : await missingCrds(context, crds, resolved.values.namespace)), ...others]));
}

async function apply(context: CommandContext, objects: readonly KubeObject[], resolved: ResolvedValues, mode: ApplyMode): Promise<void> {
  const { openCluster, requireKubernetes } = await import("./live/open-cluster.ts");
  const { applyInstallation } = await import("./apply/apply-installation.ts");
  const { stderr } = context;
  const cluster = await openCluster(context);
  try {
    await requireKubernetes(cluster);
    await applyInstallation(context, cluster, objects, {
      mode,
      onPlanned: (plan) => {
        const replaced = replacedValues(plan, resolved);
        if (replaced !== undefined) stderr.write(`${replaced}\n`);
      },
    });
    const isWhole = objects.some(({ kind }) => kind === "Deployment");
    if (!mode.isDry && isWhole) stderr.write(`meshctl ${VERSION} is installed in namespace ${resolved.values.namespace}\n`);
  } finally {
    cluster.connection.close();
  }
}

/** Installing over an installation drops the values that it was given; who wants them kept upgrades. */
function replacedValues({ objects }: Plan, { given }: ResolvedValues): string | undefined {
  const live = objects.find(({ object }) => object.kind === "ConfigMap" && object.metadata.name === VALUES_CONFIG_MAP)?.live;
  if (live === undefined) return undefined;
  const kept = readKeptValues(live);
  if (kept.problems.length === 0 && isDeepStrictEqual(kept.layer, given)) return undefined;
  return "the installation that is there was given other values; these replace them (meshctl upgrade keeps them)";
}

/** The CRDs without those that the cluster has from somebody else; what was left out, or not asked, goes to standard error. */
async function missingCrds(
  { options, env, stderr }: CommandContext,
  crds: readonly CustomResourceDefinition[],
  namespace: string,
): Promise<readonly CustomResourceDefinition[]> {
  const text = (name: string): string | undefined => options[name] as string | undefined;
  if (options["offline"] === true) return crds;
  const printsAll = (why: string): readonly CustomResourceDefinition[] => {
    stderr.write(`no cluster was asked for CustomResourceDefinitions of another mesh, all are printed: ${why}\n`);
    return crds;
  };
  let connection: ClusterConnection;
  try {
    const { loadKubeconfig } = await import("../../kube/cluster-config.ts");
    connection = loadKubeconfig({ kubeconfig: text("kubeconfig"), context: text("context"), as: text("as") }, env);
  } catch (error) {
    // Who names a cluster means that one.
    if (!(error instanceof UserError) || text("kubeconfig") !== undefined || text("context") !== undefined) throw error;
    return printsAll(error.message);
  }
  try {
    const { crdsInCluster, whyTooOld } = await import("./crds-in-cluster.ts");
    const names = crds.map((each) => each.metadata.name ?? "");
    const [found, tooOld] = await Promise.all([crdsInCluster(connection, names, systemClock), whyTooOld(connection, systemClock)]);
    const { foreign, installations } = found;
    if (foreign.length > 0) stderr.write(`left out, because the cluster has them from elsewhere: ${foreign.join(", ")}\n`);
    const another = installations.find((each) => each !== namespace);
    if (another !== undefined)
      stderr.write(
        `warning: the cluster has CustomResourceDefinitions of an installation in namespace ${another}; if it still runs, applying this breaks it\n`,
      );
    if (tooOld !== undefined) stderr.write(`warning: ${tooOld}\n`);
    return crds.filter((_, index) => !foreign.includes(names[index] ?? ""));
  } catch (error) {
    return printsAll(`the API server at ${connection.server}: ${(error as Error).message}`);
  } finally {
    connection.close();
  }
}
