// Why a pod, or one container of it, does not run as it should; as kubectl would show it, with the end of its last words.
import type { ContainerStatus, PodObject } from "../cluster-state.ts";

export interface Trouble {
  readonly message: string;
  /** It may only be starting. */
  readonly mayPass: boolean;
  /** What the message is about, for choosing a remedy. */
  readonly kind: "image" | "crash" | "unschedulable" | "starting" | "config";
}

const IMAGE = new Set(["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"]);
const CONFIG = new Set(["CreateContainerConfigError", "CreateContainerError", "RunContainerError"]);

/** Of a pod that is not Ready; undefined when nothing is wrong with it. */
export function podTrouble(pod: PodObject): Trouble | undefined {
  const { status } = pod;
  if (status?.phase === "Succeeded") return undefined;
  if (status?.phase === "Failed")
    return { message: `failed: ${status.message ?? status.reason ?? "see its containers"}`, mayPass: false, kind: "crash" };
  const unscheduled = status?.conditions?.find((each) => each.type === "PodScheduled" && each.status === "False");
  if (unscheduled !== undefined)
    return { message: `no node takes it: ${unscheduled.message ?? unscheduled.reason ?? ""}`, mayPass: false, kind: "unschedulable" };
  for (const each of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const trouble = containerTrouble(each);
    if (trouble !== undefined && trouble.kind !== "starting") return trouble;
  }
  if (status?.conditions?.some((each) => each.type === "Ready" && each.status === "True") === true) return undefined;
  const notReady = (status?.containerStatuses ?? []).filter((each) => !each.ready).map((each) => each.name);
  const what = notReady.length === 0 ? `is ${status?.phase ?? "Pending"}` : `container ${notReady.join(", ")} is not ready`;
  return { message: what, mayPass: true, kind: "starting" };
}

export function containerTrouble({ name, state, lastState, ready, restartCount }: ContainerStatus): Trouble | undefined {
  const { reason = "", message } = state?.waiting ?? {};
  const says = message === undefined || message === "" ? "" : `: ${message}`;
  if (IMAGE.has(reason)) return { message: `container ${name}: ${reason}${says}`, mayPass: false, kind: "image" };
  if (CONFIG.has(reason)) return { message: `container ${name}: ${reason}${says}`, mayPass: false, kind: "config" };
  const ended = state?.terminated ?? lastState?.terminated;
  if (reason === "CrashLoopBackOff" || (state?.terminated !== undefined && state.terminated.exitCode !== 0)) {
    const how =
      ended === undefined ? "" : `, last with ${ended.reason ?? "Error"} (exit code ${ended.exitCode})${lastWords(ended.message)}`;
    return { message: `container ${name} keeps ending (${restartCount} restarts)${how}`, mayPass: false, kind: "crash" };
  }
  return ready || state?.terminated !== undefined
    ? undefined
    : { message: `container ${name} is not ready`, mayPass: true, kind: "starting" };
}

export function lastWords(text: string | undefined): string {
  const line = (text ?? "").trimEnd().split("\n").at(-1) ?? "";
  return line === "" ? "" : `: ${line.slice(0, 300)}`;
}

/** `pod web-1.shop`. */
export function podName({ metadata }: PodObject): string {
  return `pod ${metadata.name}.${metadata.namespace}`;
}

export function isReady({ status }: PodObject): boolean {
  return status?.conditions?.some((each) => each.type === "Ready" && each.status === "True") === true;
}
