// Whose pod is it: the object that made it, and the workload that people know it by.
import type { Workload } from "../../manifests/injected-containers.ts";
import type { ObjectMeta, OwnerReference } from "../../manifests/kube-objects.ts";

/** What a CronJob's Jobs are called: its name and the minute, since 1970 or as a date. */
const JOB_OF_CRON_JOB = /^(.+)-\d{8,10}$/;

/** The object that controls the pod; undefined for one that stands for itself. */
export function controllerOf(metadata: ObjectMeta | undefined): OwnerReference | undefined {
  return metadata?.ownerReferences?.find((each) => each.controller === true);
}

/** A pod that is being created has often no name yet, and no namespace: the request tells that. */
export function workloadOf(metadata: ObjectMeta | undefined, namespace: string): Workload {
  const owner = controllerOf(metadata);
  if (owner === undefined) {
    const name = metadata?.name ?? metadata?.generateName?.replace(/-$/, "") ?? "";
    return { namespace, kind: "Pod", name };
  }
  const { kind, name } = owner;
  const hash = metadata?.labels?.["pod-template-hash"];
  if (kind === "ReplicaSet" && hash !== undefined && name.endsWith(`-${hash}`))
    return { namespace, kind: "Deployment", name: name.slice(0, -hash.length - 1) };
  const cronJob = kind === "Job" ? JOB_OF_CRON_JOB.exec(name)?.[1] : undefined;
  return cronJob === undefined ? { namespace, kind, name } : { namespace, kind: "CronJob", name: cronJob };
}
