// The mesh that a command's flags mean, in a cluster or on this machine, and the way to its sidecars and its control plane:
// one interface for both, so that no inspecting command knows which it is.
import { USAGE_EXIT_CODE, UserError } from "../common/user-error.ts";
import { currentContext } from "../kube/kubeconfig-files.ts";
import { isInCluster } from "../kube/service-account.ts";
import { listMeshes } from "../local/run-folder.ts";
import type { AdminClient } from "./admin-client.ts";
import type { CommandContext } from "./command.ts";
import type { PodFacts } from "./workload.ts";

/** A pod of the mesh. */
export interface MeshPod {
  readonly name: string;
  readonly namespace: string;
  /** A client of a port on its loopback; the caller closes it. */
  admin(port: number): AdminClient;
}

export interface MeshAccess {
  /** `mesh default`, `cluster of context kind`: for messages. */
  readonly description: string;
  /** The pod that a workload argument means; it has a sidecar that runs. @throws UserError */
  workload(argument: string): Promise<MeshPod>;
  /** The replicas of the control plane that run, by name. @throws UserError when there is none. */
  controllers(): Promise<readonly MeshPod[]>;
  /** Those that a workload argument may mean, meshed or not. @throws UserError */
  pods(): Promise<readonly PodFacts[]>;
  namespaces(): Promise<readonly string[]>;
  close(): void;
}

/**
 * `--local` and the name of a mesh mean the local one; `--kubeconfig`, `--context` and `--as` a cluster. Without them it is
 * the cluster of the kubeconfig's current context, else the local mesh that runs, else the cluster that this is a pod of.
 * @param meshFlag a command that has `--mesh` uses `--name` for something else.
 * @throws UserError when there is none.
 */
export async function openMesh(context: CommandContext, meshFlag: "name" | "mesh" = "name"): Promise<MeshAccess> {
  const { options, env } = context;
  const local = given(options, { local: "--local", [meshFlag]: "--mesh" });
  const cluster = given(options, { kubeconfig: "--kubeconfig", context: "--context", as: "--as" });
  if (local !== undefined && cluster !== undefined)
    throw new UserError(
      `${local} and ${cluster} can't be given together`,
      "look either into the local mesh or into a cluster",
      USAGE_EXIT_CODE,
    );
  const runsLocally = (): boolean => listMeshes(env).some((mesh) => mesh.phase !== "dead");
  const hasCluster = cluster !== undefined || (local === undefined && currentContext(env) !== undefined);
  if (hasCluster || (local === undefined && !runsLocally() && isInCluster())) {
    const { openClusterAccess } = await import("./cluster-access.ts");
    const advice = cluster === undefined && hasCluster && runsLocally() ? "add --local to look into the local mesh" : undefined;
    return openClusterAccess(context, advice);
  }
  if (local === undefined && !runsLocally()) {
    const hint = "name a cluster with --kubeconfig or --context, or start a local mesh: meshctl local up";
    throw new UserError("there is no mesh to look into: no kubeconfig has a current context, and no local mesh runs", hint);
  }
  const { LocalAccess } = await import("./local-access.ts");
  return new LocalAccess(context, meshFlag);
}

/** The first of the flags that was given, as it is written. */
function given(options: CommandContext["options"], flags: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(flags).find(([name]) => options[name] !== undefined && options[name] !== false)?.[1];
}
