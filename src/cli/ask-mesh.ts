// Questions to a sidecar or to the control plane's replicas, with everything closed afterwards.
import type { AdminClient } from "./admin-client.ts";
import type { CommandContext } from "./command.ts";
import { openMesh, type MeshAccess, type MeshPod } from "./mesh-access.ts";

/** Asks whatever the flags mean; what it opened is closed when `ask` is done. */
export async function askMesh<T>(
  context: CommandContext,
  ask: (mesh: MeshAccess) => Promise<T>,
  meshFlag: "name" | "mesh" = "name",
): Promise<T> {
  const mesh = await openMesh(context, meshFlag);
  try {
    return await ask(mesh);
  } finally {
    mesh.close();
  }
}

/** Asks a port of a pod. */
export async function askPod<T>(pod: MeshPod, port: number, ask: (admin: AdminClient) => Promise<T>): Promise<T> {
  const admin = pod.admin(port);
  try {
    return await ask(admin);
  } finally {
    await admin.close();
  }
}

/** Asks the sidecar of a workload at the port that `--proxy-admin-port` says. */
export function askSidecar<T>(
  context: CommandContext,
  workload: string,
  ask: (admin: AdminClient, pod: MeshPod, mesh: MeshAccess) => Promise<T>,
  meshFlag: "name" | "mesh" = "name",
): Promise<T> {
  return askMesh(
    context,
    async (mesh) => {
      const pod = await mesh.workload(workload);
      return askPod(pod, context.options["proxyAdminPort"] as number, (admin) => ask(admin, pod, mesh));
    },
    meshFlag,
  );
}
