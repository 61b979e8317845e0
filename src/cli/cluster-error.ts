// What the API server's refusals and silences mean to who reads them, each with its remedy.
import { UserError } from "../common/user-error.ts";
import { fromThrown } from "../kube/api-error.ts";
import type { ClusterConnection } from "../kube/cluster-connection.ts";

/** What was asked of the server, in the words of `kubectl auth can-i`. */
export interface Permission {
  readonly verb: string;
  /** `pods`, `pods/portforward`. */
  readonly resource: string;
  readonly namespace: string;
}

/** The API server's words, where it is the usual authorizer that refuses: of what was asked, it may be a part. */
const REFUSED = / cannot (?<verb>\w+) resource "(?<resource>[\w/-]+)"/;

/** @param advice what else may have been meant, when the server can't be talked to. */
export function clusterError(error: unknown, connection: ClusterConnection, permission: Permission, advice?: string): UserError {
  if (error instanceof UserError) return error;
  const { code, message } = fromThrown(error);
  const { server } = connection;
  const or = advice === undefined ? "" : `; or ${advice}`;
  if (code === 401) {
    const hint = `log in again, its token may have expired; or choose another context with --context${or}`;
    return new UserError(`the API server at ${server} doesn't accept these credentials`, hint);
  }
  if (code === 403) {
    const { verb, resource } = { ...permission, ...REFUSED.exec(message)?.groups };
    const { namespace } = permission;
    const hint = `ask for this permission; kubectl auth can-i ${verb} ${resource} -n ${namespace} tells whether you have it`;
    return new UserError(`not allowed to ${verb} ${resource} in namespace ${namespace}: ${message}`, hint);
  }
  if (code === 0) {
    const hint = `see whether it runs and kubectl reaches it, or choose another context with --context${or}`;
    return new UserError(`can't reach the API server at ${server}: ${message}`, hint);
  }
  // Of kube-apiserver, when it can't connect to a kubelet.
  if (message.includes("error dialing backend"))
    return new UserError(`the API server can't reach the pod's node: ${message}`, "kubectl get nodes tells whether it is ready");
  return new UserError(`the API server at ${server} fails: ${message}`, "try again; kubectl get --raw /readyz tells how it is");
}
