// A container of a pod with all that belongs to its run, and what is told of it.
import type { Container } from "../../manifests/kube-objects.ts";
import type { ContainerInfo } from "../run-folder.ts";
import type { ContainerHooks } from "./container-hooks.ts";
import type { ContainerLog } from "./container-log.ts";
import type { ContainerProcess } from "./container-process.ts";
import type { Prober } from "./prober.ts";

export interface RunningContainer {
  readonly spec: Container;
  readonly kind: ContainerInfo["kind"];
  readonly process: ContainerProcess;
  readonly log: ContainerLog;
  readonly hooks: ContainerHooks;
  prober: Prober | undefined;
}

export function isSidecar(container: RunningContainer): boolean {
  return container.kind === "sidecar";
}

export function containerInfo({ spec, kind, process, log, prober }: RunningContainer): ContainerInfo {
  const done = kind === "init" && process.state === "Completed";
  const ready = done || (process.state === "Running" && kind !== "init" && prober?.ready === true);
  return {
    name: spec.name,
    kind,
    state: process.state,
    ready,
    restarts: process.restarts,
    pid: process.pid,
    logPath: log.path,
    previousLogPath: log.previousPath,
    lastEnd: process.lastEnd,
    message: ready ? undefined : (process.message ?? prober?.message),
  };
}
