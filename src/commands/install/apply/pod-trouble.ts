// Why a pod is not ready, as far as the cluster tells: where it should run, what its containers do, what its events say.
import type { KubeObject } from "../../../kube/resource-kind.ts";

interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: object;
  readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly message?: string };
}

interface PodStatus {
  readonly phase?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string; readonly message?: string }[];
  readonly initContainerStatuses?: readonly ContainerStatus[];
  readonly containerStatuses?: readonly ContainerStatus[];
}

export function isReady(pod: KubeObject): boolean {
  return statusOf(pod).conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** @param events that tell of the pod, in any order. */
export function podTrouble(pod: KubeObject, events: readonly KubeObject[]): string[] {
  const { reason, message, conditions = [], initContainerStatuses = [], containerStatuses = [] } = statusOf(pod);
  const unscheduled = conditions.find(({ type, status }) => type === "PodScheduled" && status === "False");
  return [
    ...(reason === undefined ? [] : [joined(reason, message)]),
    ...(unscheduled === undefined ? [] : [joined(unscheduled.reason ?? "not scheduled", unscheduled.message)]),
    ...[...initContainerStatuses, ...containerStatuses].filter(({ ready }) => !ready).flatMap(containerTrouble),
    ...lastWarnings(events),
  ];
}

function containerTrouble({ name, restartCount, state, lastState }: ContainerStatus): string[] {
  const last = state?.terminated ?? lastState?.terminated;
  const ended =
    last === undefined || last.exitCode === 0
      ? []
      : [`ended with ${joined(`exit code ${last.exitCode}${last.reason === undefined ? "" : ` (${last.reason})`}`, last.message)}`];
  const { waiting } = state ?? {};
  const waits = waiting?.reason === undefined || waiting.reason === "PodInitializing" ? [] : [joined(waiting.reason, waiting.message)];
  const runs = state?.running !== undefined && ended.length === 0 ? ["runs, but is not ready"] : [];
  const restarts = restartCount > 0 ? [`restarted ${restartCount} times`] : [];
  const facts = [...waits, ...ended, ...runs, ...restarts];
  return facts.length === 0 ? [] : [`container ${name}: ${facts.join("; ")}`];
}

/** One of each reason: the API server counts repetitions. */
function lastWarnings(events: readonly KubeObject[]): string[] {
  const byReason = new Map<string, string>();
  for (const event of events) {
    const { type, reason = "", message = "" } = event as { readonly type?: string; readonly reason?: string; readonly message?: string };
    if (type === "Warning") byReason.set(reason, `event ${joined(reason, message)}`);
  }
  return [...byReason.values()];
}

function statusOf(pod: KubeObject): PodStatus {
  return pod["status"] ?? {};
}

function joined(what: string, why: string | undefined): string {
  return why === undefined || why === "" ? what : `${what}: ${why.trim()}`;
}
