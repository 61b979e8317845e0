// A permission in words, and as kubectl names it.
import type { Permission } from "./cluster-state.ts";

/** `list pods in namespace shop`. */
export function describePermission(permission: Permission): string {
  const where = permission.namespace === undefined ? "in the whole cluster" : `in namespace ${permission.namespace}`;
  return `${permission.verb} ${resourceOf(permission)} ${where}`;
}

/** What asks whether one has it. */
export function canICommand(permission: Permission): string {
  const where = permission.namespace === undefined ? "" : ` -n ${permission.namespace}`;
  return `kubectl auth can-i ${permission.verb} ${resourceOf(permission)}${where}    (ask a cluster admin for it)`;
}

function resourceOf({ resource, group }: Permission): string {
  return group === "" ? resource : `${resource}.${group}`;
}
