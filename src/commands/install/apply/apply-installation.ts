// From the objects of an installation to a cluster that has them: plan, apply, wait.
import type { CommandContext } from "../../../cli/command.ts";
import { UserError } from "../../../common/user-error.ts";
import type { Deployment, KubeObject } from "../../../manifests/kube-objects.ts";
import type { ApplyMode } from "../apply-mode.ts";
import type { Cluster } from "../live/open-cluster.ts";
import { applyObjects } from "./apply-objects.ts";
import { changeOf, planObjects, refuseConflicts } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { kubectlName } from "./to-draft.ts";
import { waitForRollout } from "./wait-for-rollout.ts";

export interface ApplyInstallationOptions {
  readonly mode: ApplyMode;
  /** What a person should know before it is carried out. */
  readonly onPlanned?: (plan: Plan) => void;
}

/** @throws UserError: before anything was applied, or with what was. */
export async function applyInstallation(
  { stdout, stderr }: CommandContext,
  cluster: Cluster,
  objects: readonly KubeObject[],
  { mode, onPlanned }: ApplyInstallationOptions,
): Promise<void> {
  const deployment = objects.find((each) => each.kind === "Deployment") as Deployment | undefined;
  if (mode.waitMs !== undefined && deployment === undefined)
    throw new UserError("--wait waits for the controller, which is not among what is applied", "leave --wait or --crds out");
  const plan = await planObjects(cluster, objects);
  if (plan.foreign.length > 0) stderr.write(`left out, because the cluster has them from elsewhere: ${plan.foreign.join(", ")}\n`);
  onPlanned?.(plan);
  if (!mode.force) refuseConflicts(plan.objects);
  if (mode.isDry) {
    for (const each of plan.objects) stdout.write(`${kubectlName(each.object)} ${changeOf(each)} (server dry run)\n`);
    if (plan.objects.some(({ next }) => next === undefined))
      stderr.write("the namespace is not there yet: for what goes into it, only permission was asked\n");
    return;
  }
  await applyObjects(cluster, plan.objects, { force: mode.force, onApplied: (line) => void stdout.write(`${line}\n`) });
  if (mode.waitMs !== undefined && deployment !== undefined) await waitForRollout(cluster, deployment, mode.waitMs, stderr);
}
