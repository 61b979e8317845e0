// The cluster that a person means, after it has answered.
import type { CommandContext } from "../../../cli/command.ts";
import { systemClock } from "../../../common/clock.ts";
import type { Clock } from "../../../common/clock.ts";
import { UserError } from "../../../common/user-error.ts";
import { fromThrown } from "../../../kube/api-error.ts";
import { loadKubeconfig } from "../../../kube/cluster-config.ts";
import type { ClusterConnection } from "../../../kube/cluster-connection.ts";
import { checkReachable } from "../../../kube/get-json.ts";
import { describeTooOld, kubernetesVersion } from "../../../kube/kubernetes-version.ts";
import { KubeObjects } from "../../../kube/objects.ts";

export interface Cluster {
  readonly connection: ClusterConnection;
  readonly objects: KubeObjects;
  readonly clock: Clock;
}

const REACHABLE_TIMEOUT_MS = 10_000;
/** Above the 30 s that an API server gives one webhook. */
const REQUEST_TIMEOUT_MS = 35_000;

/** @throws UserError when it can't be reached as this user. */
export async function openCluster({ options, env, stderr }: CommandContext): Promise<Cluster> {
  const text = (name: string): string | undefined => options[name] as string | undefined;
  const connection = loadKubeconfig({ kubeconfig: text("kubeconfig"), context: text("context"), as: text("as") }, env);
  const clock = systemClock;
  try {
    await checkReachable(connection, clock, REACHABLE_TIMEOUT_MS);
  } catch (error) {
    connection.close();
    throw error;
  }
  // A warning comes with the dry run and again with what follows it.
  const told = new Set<string>();
  const onWarning = (message: string): void => {
    if (!told.has(message)) stderr.write(`warning: ${message}\n`);
    told.add(message);
  };
  return { connection, clock, objects: new KubeObjects({ connection, clock, timeoutMs: REQUEST_TIMEOUT_MS, onWarning }) };
}

/** @throws UserError below the oldest Kubernetes that the mesh runs on. */
export async function requireKubernetes({ connection, clock }: Cluster): Promise<void> {
  let version;
  try {
    version = await kubernetesVersion(connection, { clock, timeoutMs: REACHABLE_TIMEOUT_MS });
  } catch (error) {
    // Some servers keep their version to themselves.
    if (fromThrown(error).code === 403) return;
    throw toUserError(error, connection, "ask for the cluster's version");
  }
  if (version.isTooOld) throw new UserError(describeTooOld(version), "upgrade the cluster first; nothing was changed");
}

/** What an API server refused, or didn't answer, for a person. @param doing `list Pods`. */
export function toUserError(error: unknown, connection: ClusterConnection, doing: string): UserError {
  if (error instanceof UserError) return error;
  const { code, message } = fromThrown(error);
  const hints: Readonly<Record<number, string>> = {
    0: "see whether kubectl reaches the cluster, and run the command again",
    403: "act as somebody who may (--context, --as)",
  };
  return new UserError(`can't ${doing}: the API server at ${connection.server} says: ${message}`, hints[code]);
}
