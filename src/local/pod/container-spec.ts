// From a container of a pod spec to what is launched: command line, user, capabilities, working folder.
import type { Container } from "../../manifests/kube-objects.ts";
import { PROXY_UID } from "../../xds/names.ts";
import type { ContainerLaunch, Mount } from "./container-launch.ts";
import { expandReferences, type PodFacts } from "./pod-environment.ts";
import { SYSTEM_PATH } from "../prerequisites.ts";

/** The mesh's own image, whose entry point is `meshctl`. */
export const MESH_IMAGE = "meshctl";
/** Apps that name no user: an id that no login has, neither on this machine nor among the mesh's own. */
export const DEFAULT_APP_UID = 10_001;

/** What container runtimes leave to uid 0 by default. */
const DEFAULT_CAPABILITIES =
  "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot,mknod,audit_write,setfcap".split(",");

export function commandOf(container: Container): readonly string[] {
  const entryPoint = container.command ?? (container.image === MESH_IMAGE ? ["meshctl"] : []);
  return entryPoint.length === 0 ? [] : [...entryPoint, ...(container.args ?? [])];
}

function capabilitiesOf(container: Container): string[] {
  const { add = [], drop = [] } = container.securityContext?.capabilities ?? {};
  const plain = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase().replace(/^cap_/, ""));
  const dropped = plain(drop);
  const kept = dropped.includes("all") ? [] : DEFAULT_CAPABILITIES.filter((name) => !dropped.includes(name));
  return [...new Set([...kept, ...plain(add)])];
}

/**
 * @param mounts asked with the user that the container runs as.
 * @throws Error that names the container when it can't be run.
 */
export function containerLaunch(
  container: Container,
  facts: PodFacts,
  environment: Readonly<Record<string, string>>,
  mounts: (uid: number) => readonly Mount[],
): { readonly launch: Omit<ContainerLaunch, "namespace" | "hostname">; readonly values: Record<string, string> } {
  const pod = facts.spec.securityContext;
  const own = container.securityContext;
  const uid = own?.runAsUser ?? pod?.runAsUser ?? DEFAULT_APP_UID;
  const gid = own?.runAsGroup ?? pod?.runAsGroup ?? uid;
  if (uid === PROXY_UID && container.image !== MESH_IMAGE) {
    throw new Error(`container ${container.name} runs as user ${PROXY_UID}, which is the sidecar's: its traffic would bypass the mesh`);
  }
  const command = commandOf(container);
  if (command.length === 0) throw new Error(`container ${container.name} has no command`);
  const { PATH: ownPath, ...rest } = environment;
  return {
    launch: {
      mounts: mounts(uid),
      identity: { uid, gid, capabilities: capabilitiesOf(container), noNewPrivileges: own?.allowPrivilegeEscalation === false },
      workingFolder: container.workingDir ?? "/",
      command: command.map((word) => expandReferences(word, environment)),
    },
    values: { ...rest, PATH: SYSTEM_PATH, ...(ownPath === undefined ? {} : { MESHCTL_CONTAINER_PATH: ownPath }) },
  };
}
