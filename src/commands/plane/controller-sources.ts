// Where the control plane reads the mesh from: YAML files, the cluster of a kubeconfig, or the cluster that it runs in.
import { existsSync } from "node:fs";
import type { CommandContext } from "../../cli/command.ts";
import { systemClock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import { UserError } from "../../common/user-error.ts";
import { DirectorySource } from "../../control-plane/sources/directory-source.ts";
import type { Source } from "../../control-plane/sources/source.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import { isInCluster } from "../../kube/service-account.ts";

/** A person waits for the answer; what runs in a cluster waits for its API server as long as it takes. */
const REACHABLE_TIMEOUT_MS = 10_000;

export interface OpenedSources {
  readonly sources: readonly Source[];
  /** undefined: files. */
  readonly connection: ClusterConnection | undefined;
}

/** @throws UserError when they contradict each other, or can't be read. */
export async function openSources({ options, env }: CommandContext, log: Logger): Promise<OpenedSources> {
  const paths = (options["source"] as readonly string[] | undefined) ?? [];
  const kubeconfig = options["kubeconfig"] as string | undefined;
  const context = options["context"] as string | undefined;
  const isCluster = kubeconfig !== undefined || context !== undefined;
  if (paths.length > 0) {
    if (isCluster) {
      const flag = kubeconfig === undefined ? "--context" : "--kubeconfig";
      throw new UserError(`--source and ${flag} can't be given together`, "the mesh is read either from files or from a cluster");
    }
    for (const path of paths) {
      if (!existsSync(path)) throw new UserError(`--source ${path}: no such file or directory`, "create it first, or correct the path");
    }
    return { sources: paths.map((each) => new DirectorySource([each], systemClock)), connection: undefined };
  }
  if (!isCluster && !isInCluster()) {
    const hint = "name a directory or file with Kubernetes YAML: --source ./mesh; or a cluster: --kubeconfig FILE, --context NAME";
    throw new UserError("no --source given", hint);
  }
  // Loaded only here: a controller that reads files is spared the Kubernetes client.
  const { loadInCluster, loadKubeconfig } = await import("../../kube/cluster-config.ts");
  const { checkReachable } = await import("../../kube/get-json.ts");
  const { KubernetesSource } = await import("../../control-plane/sources/kubernetes-source.ts");
  const connection = isCluster ? loadKubeconfig({ kubeconfig, context }, env) : loadInCluster(env);
  if (isCluster) {
    try {
      await checkReachable(connection, systemClock, REACHABLE_TIMEOUT_MS);
    } catch (error) {
      connection.close();
      throw error;
    }
  }
  return {
    sources: [new KubernetesSource({ connection, clock: systemClock, log, rootNamespace: options["rootNamespace"] as string })],
    connection,
  };
}
