// How far a Deployment is with what was asked of it: as `kubectl rollout status` tells it.
import type { KubeObject } from "../../../kube/resource-kind.ts";

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface RolloutState {
  readonly isDone: boolean;
  /** For people who wait. */
  readonly text: string;
  /** What the Deployment itself says is wrong: pods that are refused, no progress within its deadline. */
  readonly trouble: string | undefined;
  /** It has given up. */
  readonly hasFailed: boolean;
}

export function rolloutState(deployment: KubeObject): RolloutState {
  const { generation } = deployment.metadata as { readonly generation?: number };
  const { replicas: wanted = 1 } = (deployment["spec"] ?? {}) as { readonly replicas?: number };
  const status = (deployment["status"] ?? {}) as {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0, conditions = [] } = status;
  const isSeen = (status.observedGeneration ?? 0) >= (generation ?? 0);
  const conditionOf = (type: string, isBad: (condition: Condition) => boolean): Condition | undefined =>
    conditions.find((each) => each.type === type && isBad(each));
  const stuck = conditionOf("Progressing", ({ reason }) => reason === "ProgressDeadlineExceeded");
  const refused = conditionOf("ReplicaFailure", ({ status: is }) => is === "True");
  const troubles = [refused, stuck].flatMap((each) => (each?.message === undefined ? [] : [each.message]));
  return {
    isDone: isSeen && updatedReplicas >= wanted && replicas <= updatedReplicas && availableReplicas >= updatedReplicas,
    text: describe(isSeen, wanted, { replicas, updatedReplicas, availableReplicas }),
    trouble: isSeen && troubles.length > 0 ? troubles.join("; ") : undefined,
    hasFailed: isSeen && stuck !== undefined,
  };
}

function describe(
  isSeen: boolean,
  wanted: number,
  { replicas, updatedReplicas, availableReplicas }: { replicas: number; updatedReplicas: number; availableReplicas: number },
): string {
  if (!isSeen) return "waiting for the cluster to look at it";
  if (updatedReplicas < wanted) return `${updatedReplicas} of ${wanted} replicas are new`;
  if (replicas > updatedReplicas) return `${replicas - updatedReplicas} old replicas are still there`;
  return `${availableReplicas} of ${updatedReplicas} replicas are ready`;
}
