// One look at a cluster: which checks there are, in which order, over what was gathered.
import { systemClock } from "../../common/clock.ts";
import { UserError } from "../../common/user-error.ts";
import { loadInCluster, loadKubeconfig } from "../../kube/cluster-config.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import { currentContext } from "../../kube/kubeconfig-files.ts";
import { isInCluster } from "../../kube/service-account.ts";
import { isSuccess, runChecks, type Category, type CategoryResult } from "./check-list.ts";
import type { CheckOptions } from "./check-options.ts";
import type { ClusterState } from "./cluster-state.ts";
import { capture } from "./checks/capture.ts";
import { clocks } from "./checks/clocks.ts";
import { conflicts } from "./checks/conflicts.ts";
import { controlPlane } from "./checks/control-plane.ts";
import { customResources } from "./checks/custom-resources.ts";
import { identity } from "./checks/identity.ts";
import { injection } from "./checks/injection.ts";
import { kubernetesApi, type ReachState } from "./checks/kubernetes-api.ts";
import { kubernetesVersion } from "./checks/kubernetes-version.ts";
import { namespaces } from "./checks/namespaces.ts";
import { preInstall } from "./checks/pre-install.ts";
import { sidecars } from "./checks/sidecars.ts";
import { webhooks } from "./checks/webhooks.ts";
import { askServer, gatherCluster } from "./gather/gather-cluster.ts";

const AFTER_INSTALL = [kubernetesVersion, clocks, controlPlane, customResources, identity, webhooks, namespaces];

export const CATEGORIES: Readonly<Record<CheckOptions["stage"], readonly Category<ClusterState>[]>> = {
  pre: [kubernetesVersion, preInstall, clocks, namespaces],
  default: AFTER_INSTALL,
  // A pod without capture or with a conflict explains a sidecar that isn't ready.
  proxy: [...AFTER_INSTALL, injection, capture, conflicts, sidecars],
};

export function lookAtCluster(options: CheckOptions, env: Readonly<Record<string, string | undefined>>): Look {
  let connection: ClusterConnection;
  try {
    connection = isOwnCluster(options, env) ? loadInCluster(env) : loadKubeconfig(options, env);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const results = runChecks([kubernetesApi], { configuration: error, server: undefined });
    return { once: () => Promise.resolve(results), end: () => undefined };
  }
  return { once: () => look(connection, options), end: () => connection.close() };
}

/** In a pod without a kubeconfig it is the pod's cluster. */
function isOwnCluster({ kubeconfig, context }: CheckOptions, env: Readonly<Record<string, string | undefined>>): boolean {
  return kubeconfig === undefined && context === undefined && currentContext(env) === undefined && isInCluster();
}

export interface Look {
  once(): Promise<CategoryResult[]>;
  end(): void;
}

async function look(connection: ClusterConnection, options: CheckOptions): Promise<CategoryResult[]> {
  const { stage, namespace } = options;
  const reach = await askServer(connection, systemClock);
  const state: ReachState = { configuration: undefined, server: reach.failure };
  const reached = runChecks([kubernetesApi], state);
  if (!isSuccess(reached)) return reached;
  const gathered = await gatherCluster({ connection, clock: systemClock, stage, namespace }, reach.facts);
  return [...reached, ...runChecks(CATEGORIES[stage], gathered)];
}
