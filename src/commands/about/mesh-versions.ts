// The versions of the control plane's replicas and of the sidecars that are connected to them.
import { askMesh, askPod } from "../../cli/ask-mesh.ts";
import type { CommandContext } from "../../cli/command.ts";
import { UserError } from "../../common/user-error.ts";
import { Port } from "../../xds/names.ts";

export interface MeshVersions {
  readonly controllers: readonly { readonly name: string; readonly version: string }[];
  /** By `<pod>.<namespace>`. */
  readonly proxies: readonly { readonly name: string; readonly version: string }[];
}

interface Replica {
  readonly name: string;
  readonly version: string;
  readonly proxies: MeshVersions["proxies"];
}

/**
 * @param onFailure of a replica that gives no answer, while others do.
 * @throws UserError when none answers.
 */
export function readMeshVersions(context: CommandContext, onFailure: (error: UserError) => void): Promise<MeshVersions> {
  return askMesh(context, async (mesh) => {
    const answers = await Promise.allSettled(
      (await mesh.controllers()).map((pod) =>
        askPod(pod, Port.monitoring, async (admin): Promise<Replica> => {
          const version = (await admin.get("/version")).trim();
          const entries = (await admin.getJson("/debug/syncz")) as readonly { proxy: string; istio_version?: string }[];
          return {
            name: pod.name,
            version,
            proxies: entries.map((each) => ({ name: each.proxy, version: each.istio_version || "unknown" })),
          };
        }),
      ),
    );
    const replicas = answers.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    for (const each of answers) {
      if (each.status !== "rejected") continue;
      if (replicas.length === 0 || !(each.reason instanceof UserError)) throw each.reason;
      onFailure(each.reason);
    }
    // One that is just changing over from a replica to another is connected to both.
    const proxies = new Map(replicas.flatMap((each) => each.proxies).map((each) => [each.name, each]));
    return { controllers: replicas, proxies: [...proxies.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) };
  });
}
