// A permission in words, and the commands by which a cluster admin gives it.
import type { Permission } from "./cluster-state.ts";

const BY_ADMIN = "# by a cluster admin; kubectl auth whoami tells who YOU are";

/** `list pods in namespace shop`. */
export function describePermission(permission: Permission): string {
  return `${permission.verb} ${resourceOf(permission)} ${placeOf(permission)}`;
}

/** In the order given, one text for each resource: `get, create nodes in the whole cluster`. */
export function describePermissions(permissions: readonly Permission[]): string[] {
  const byResource = Map.groupBy(permissions, (each) => `${resourceOf(each)} ${placeOf(each)}`);
  return [...byResource].map(([what, some]) => `${some.map((each) => each.verb).join(", ")} ${what}`);
}

/** Gives exactly this. */
export function grantCommand(permission: Permission): string {
  const { verb, namespace } = permission;
  const resource = resourceOf(permission);
  // Who may read it has the mesh: no check is worth that.
  if (resource === "secrets") return "meshctl check    # run by a cluster admin: the Secret holds the CA's key";
  const name = `meshctl-check-${`${verb}-${resource}`.replaceAll(/[^a-z0-9]/g, "-")}`;
  const rules = `--verb=${verb} --resource=${resource}`;
  const role =
    namespace === undefined
      ? `kubectl create clusterrole ${name} ${rules} && kubectl create clusterrolebinding ${name} --clusterrole=${name}`
      : `kubectl -n ${namespace} create role ${name} ${rules} && kubectl -n ${namespace} create rolebinding ${name} --role=${name}`;
  return `${role} --user=YOU    ${BY_ADMIN}`;
}

/** Gives what an installation needs: its roles are as wide as those that may give them. */
export const GRANT_INSTALLER = `kubectl create clusterrolebinding meshctl-installer --clusterrole=cluster-admin --user=YOU    ${BY_ADMIN}`;

function placeOf({ namespace }: Permission): string {
  return namespace === undefined ? "in the whole cluster" : `in namespace ${namespace}`;
}

function resourceOf({ resource, group }: Permission): string {
  return group === "" ? resource : `${resource}.${group}`;
}
