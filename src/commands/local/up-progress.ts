// What `up` says while pods come up, and why it gives up.
import { UserError } from "../../common/user-error.ts";
import { ContainerLog } from "../../local/pod/container-log.ts";
import type { ContainerInfo, MeshInfo, PodInfo } from "../../local/run-folder.ts";

/** A container that ended this often will not come up by waiting. */
const HOPELESS_RESTARTS = 3;
const SHOWN_LINES = 8;

function allPods(mesh: MeshInfo): PodInfo[] {
  return [...(mesh.controller === undefined ? [] : [mesh.controller]), ...mesh.pods];
}

function waitsFor(pod: PodInfo): string {
  const waiting = pod.containers.find((each) => !each.ready);
  if (waiting === undefined) return pod.containers.length === 0 ? "network" : "control plane";
  return waiting.message === undefined ? waiting.name : `${waiting.name}: ${waiting.message}`;
}

/** Several lines, for a spinner. */
export function describeProgress(mesh: MeshInfo): string {
  const lines = allPods(mesh).map((pod) => (pod.ready ? `  ✔ ${pod.name}` : `  · ${pod.name} (${waitsFor(pod)})`));
  return [`starting mesh ${mesh.name}`, ...lines].join("\n");
}

function troubled(pod: PodInfo): ContainerInfo | undefined {
  return pod.containers.find((each) => each.restarts >= HOPELESS_RESTARTS && !each.ready);
}

/** No waiting will help: a container keeps ending, or a pod can't be made as the YAML says. */
export function isHopeless(mesh: MeshInfo): boolean {
  return allPods(mesh).some(
    (pod) =>
      troubled(pod) !== undefined || (pod.message !== undefined && !pod.containers.some((each) => each.state === "CrashLoopBackOff")),
  );
}

export function explainFailure(mesh: MeshInfo, timeoutMs: number): UserError {
  const pods = allPods(mesh);
  const pod =
    pods.find((each) => troubled(each) !== undefined) ??
    pods.find((each) => each.message !== undefined) ??
    pods.find((each) => !each.ready);
  if (pod === undefined)
    return new UserError(`mesh ${mesh.name} was not ready within ${timeoutMs / 1000} s`, mesh.problems.join("\n  ") || undefined);
  const ending = troubled(pod);
  const container = ending ?? pod.containers.find((each) => !each.ready);
  const where = `pod ${pod.name}.${pod.namespace}`;
  const waiting = container === undefined ? "" : `${container.name}: ${container.message ?? container.state}`;
  const why = ending === undefined ? (pod.message ?? waiting) : `container ${ending.name} keeps ending (${ending.lastEnd ?? ""})`;
  const log = container === undefined ? [] : new ContainerLog(container.logPath).tail(SHOWN_LINES);
  const hint = log.length === 0 ? undefined : `last lines of ${container?.name ?? ""}:\n${log.map((line) => `    ${line}`).join("\n")}`;
  if (isHopeless(mesh)) return new UserError(`${where} does not come up: ${why}`, hint);
  return new UserError(`${where} was not ready within ${timeoutMs / 1000} s: ${why}`, hint ?? "give it longer with --timeout");
}
