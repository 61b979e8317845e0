// The credentials of a pod. Apart from what uses them, because the Kubernetes client costs tens of megabytes.
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where the kubelet puts them. */
export const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Whether this process is a pod that may talk to its cluster. */
export function isInCluster(folder = SERVICE_ACCOUNT_FOLDER): boolean {
  return existsSync(join(folder, "token"));
}
