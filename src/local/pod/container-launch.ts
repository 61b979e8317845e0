// One container's start: a chain of programs that each replace the one before, so that the pid we spawned is in the
// end the container's own process. nsenter (network) → unshare (mounts, host name) → sh (mounts) → setpriv (user) → command.
import { existsSync } from "node:fs";
import { CONTAINER_RUNTIME, mountPointLines, normalizeMountPath, quote, REPLACE_WITH_MEMBERS, ROOT_FOLDER } from "./root-folder.ts";

export interface Mount {
  /** Folder or file in the sandbox's own view. */
  readonly source: string;
  readonly target: string;
  readonly isFile: boolean;
  readonly readOnly: boolean;
}

export interface ContainerIdentity {
  readonly uid: number;
  readonly gid: number;
  /** Linux capabilities, lower case without `cap_`, that the process may have; only uid 0 gets any. */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
}

export interface ContainerLaunch {
  /** Name of the network namespace under /run/netns. */
  readonly namespace: string;
  readonly hostname: string;
  readonly mounts: readonly Mount[];
  readonly identity: ContainerIdentity;
  readonly workingFolder: string;
  readonly command: readonly string[];
}

export const CONTAINER_PATH = `${CONTAINER_RUNTIME}/path:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

/** Arguments of setpriv for a user without privileges of the sandbox's root. */
export function identityArguments(identity: ContainerIdentity): string[] {
  const bounding = ["-all", ...identity.capabilities.map((name) => `+${name}`)].join(",");
  return [
    ...["--reuid", `${identity.uid}`, "--regid", `${identity.gid}`, "--clear-groups", "--inh-caps=-all", `--bounding-set=${bounding}`],
    ...(identity.noNewPrivileges ? ["--no-new-privs"] : []),
  ];
}

function mountLines(mount: Mount): string[] {
  const target = normalizeMountPath(mount.target);
  const lines = mountPointLines(target, mount.isFile, existsSync);
  lines.push(`mount -n --bind ${quote(mount.source)} "$root"${quote(target)}`);
  if (mount.readOnly) lines.push(`mount -n -o remount,bind,ro "$root"${quote(target)}`);
  return lines;
}

/** The command line to spawn in the sandbox. Its own environment is the container's: nothing is added on the way. */
export function containerCommandLine(launch: ContainerLaunch): readonly string[] {
  const script = [
    "set -e",
    `PATH=/usr/sbin:/usr/bin:/sbin:/bin root=${ROOT_FOLDER}`,
    // The file in /proc belongs to the machine's root; the program makes a system call that our own root may make.
    `hostname ${quote(launch.hostname)} 2>/dev/null || printf %s ${quote(launch.hostname)} > /proc/sys/kernel/hostname`,
    'mount -n -t tmpfs -o mode=755 tmpfs "$root/run"',
    'mount -n -t tmpfs -o mode=1777 tmpfs "$root/tmp"',
    'mkdir -m 1777 "$root/run/lock"',
    REPLACE_WITH_MEMBERS,
    ...launch.mounts.flatMap(mountLines),
    // From here on the old root, with everybody else's files and namespaces in it, is out of sight.
    'cd "$root"',
    "pivot_root . .",
    "umount -n -l .",
    `cd ${quote(launch.workingFolder)} 2>/dev/null || cd /`,
    `export PATH=${CONTAINER_PATH}`,
    `[ -z "\${MESHCTL_CONTAINER_PATH-}" ] || export PATH="$MESHCTL_CONTAINER_PATH"`,
    "unset root OLDPWD MESHCTL_CONTAINER_PATH",
    'exec /usr/bin/env setpriv "$@"',
  ].join("\n");
  return [
    "nsenter",
    `--net=/run/netns/${launch.namespace}`,
    ...["unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", script, "sh"],
    ...identityArguments(launch.identity),
    "--",
    ...launch.command,
  ];
}
