// Waits until a Deployment runs what was applied, and tells which pod doesn't and why when it doesn't come to that.
import type { CommandContext } from "../../../cli/command.ts";
import { startProgress } from "../../../cli/progress.ts";
import { sleep } from "../../../common/clock.ts";
import { UserError } from "../../../common/user-error.ts";
import { fromThrown } from "../../../kube/api-error.ts";
import type { KubeObject as LiveObject } from "../../../kube/resource-kind.ts";
import { retried } from "../../../kube/retried.ts";
import type { Deployment } from "../../../manifests/kube-objects.ts";
import type { Cluster } from "../live/open-cluster.ts";
import { isReady, podTrouble } from "./pod-trouble.ts";
import { rolloutState } from "./rollout-state.ts";
import type { RolloutState } from "./rollout-state.ts";

const POLL_MS = 1000;

/** @throws UserError when it isn't ready in time. */
export async function waitForRollout(
  cluster: Cluster,
  deployment: Deployment,
  timeoutMs: number,
  stderr: CommandContext["stderr"],
): Promise<void> {
  const { objects, clock } = cluster;
  const { name = "", namespace = "" } = deployment.metadata;
  const title = `Deployment ${namespace}/${name}`;
  const progress = await startProgress(stderr, `${title}: waiting until it is ready`);
  const deadlineMs = clock.now() + timeoutMs;
  try {
    for (;;) {
      const live = await retried(clock, () => objects.get({ apiVersion: "apps/v1", kind: "Deployment", namespace, name }));
      if (live === undefined) throw new UserError(`${title} has been deleted`, "run the command again");
      const state = rolloutState(live);
      if (state.isDone) return progress.succeed(`${title}: ${state.text}`);
      const isLate = clock.now() >= deadlineMs;
      if (isLate || state.hasFailed) throw await notReady(cluster, deployment, state, isLate ? timeoutMs : undefined);
      progress.update(`${title}: ${state.trouble ?? state.text}`);
      await sleep(clock, Math.min(POLL_MS, Math.max(deadlineMs - clock.now(), 0)));
    }
  } catch (error) {
    progress.stop();
    if (error instanceof UserError) throw error;
    throw new UserError(
      `everything is applied, but ${title} can't be followed: ${fromThrown(error).message}`,
      `kubectl -n ${namespace} rollout status deployment/${name} follows it`,
    );
  }
}

async function notReady(
  cluster: Cluster,
  deployment: Deployment,
  { text, trouble }: RolloutState,
  timeoutMs: number | undefined,
): Promise<UserError> {
  const { name = "", namespace = "" } = deployment.metadata;
  const head = `Deployment ${namespace}/${name} is not ready${timeoutMs === undefined ? "" : ` after ${timeoutMs / 1000} s`}: ${text}`;
  const why = trouble === undefined ? [] : [`  ${trouble}`];
  return new UserError(
    [head, ...why, ...(await podsInTrouble(cluster, deployment))].join("\n"),
    `everything is applied; kubectl -n ${namespace} logs deployment/${name} has more, and --wait=10m waits longer`,
  );
}

/** A line for each pod that isn't ready, and for each reason. */
async function podsInTrouble({ objects }: Cluster, { metadata, spec }: Deployment): Promise<string[]> {
  const { namespace } = metadata;
  const labelSelector = Object.entries(spec.selector?.matchLabels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  try {
    const pods = (await objects.list({ apiVersion: "v1", kind: "Pod" }, { namespace, labelSelector })) ?? [];
    const lines: string[] = [];
    for (const pod of pods.filter((each) => !isReady(each))) {
      const reasons = podTrouble(pod, await eventsOf(objects, pod));
      const told = reasons.length === 0 ? ["nothing is known about it yet"] : reasons;
      lines.push(`  pod ${namespace}/${pod.metadata.name}`, ...told.map((each) => `    ${each}`));
    }
    return pods.length === 0 ? ["  there is no pod of it yet"] : lines;
  } catch (error) {
    return [`  its pods can't be seen: ${fromThrown(error).message}`];
  }
}

async function eventsOf(objects: Cluster["objects"], { metadata }: LiveObject): Promise<LiveObject[]> {
  const { namespace, uid = "" } = metadata;
  return (await objects.list({ apiVersion: "v1", kind: "Event" }, { namespace, fieldSelector: `involvedObject.uid=${uid}` })) ?? [];
}
