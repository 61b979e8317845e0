// Is there a cluster to talk to at all? Without one nothing else is looked at.
import type { UserError } from "../../../common/user-error.ts";
import type { ApiError } from "../../../kube/api-error.ts";
import type { Category } from "../check-list.ts";

export interface ReachState {
  /** Why there is no connection to make. */
  readonly configuration: UserError | undefined;
  /** Why the API server gave no answer; its message names the server. */
  readonly server: ApiError | undefined;
}

export const kubernetesApi: Category<ReachState> = {
  name: "kubernetes-api",
  checks: [
    {
      description: "can initialize the client",
      hint: "kubernetes-api",
      severity: "error",
      isFatal: true,
      find: ({ configuration }) =>
        configuration === undefined
          ? []
          : [
              {
                message: [configuration.message, ...(configuration.hint ?? "").split("\n")].filter(Boolean).join("\n"),
                remedy: "kubectl config get-contexts",
              },
            ],
    },
    {
      description: "can query the Kubernetes API",
      hint: "kubernetes-api",
      severity: "error",
      isFatal: true,
      // Whoever is told that something is forbidden is known to the server.
      find: ({ server }) =>
        server === undefined || server.code === 403
          ? []
          : [
              {
                message: server.message,
                remedy: server.code === 401 ? "kubectl config use-context ANOTHER    # or log in again" : "kubectl cluster-info",
              },
            ],
    },
  ],
};
