// The root folder that containers see: the host's own files with a few folders of the mesh's on top. One skeleton per
// sandbox is made of bind mounts; each container then gets a private view of it (container-launch.ts).
import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import { RUNTIME_FOLDER } from "../sandbox.ts";
import { runProgram } from "../run-program.ts";

export const ROOT_FOLDER = "/run/meshctl-root";
/** In every container: `node` (the pinned one) and, for containers with the mesh's own image, `meshctl`. */
export const CONTAINER_RUNTIME = "/.meshctl";

/** Folders that belong to the container, not to the host: mount points may be made in them. /etc is a copy. */
const OWN_FOLDERS = ["/etc", "/run", "/tmp"];

export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Builds the skeleton. Runs once, in the sandbox's mount namespace. */
export async function buildRootFolder(): Promise<void> {
  const lines = ["set -e", `mkdir ${ROOT_FOLDER}`, `mount -n -t tmpfs -o mode=755 tmpfs ${ROOT_FOLDER}`, `cd ${ROOT_FOLDER}`];
  for (const name of readdirSync("/")) {
    const stat = lstatSync(`/${name}`);
    const target = quote(name);
    if (stat.isSymbolicLink()) lines.push(`ln -s ${quote(readlinkSync(`/${name}`))} ${target}`);
    else if (OWN_FOLDERS.includes(`/${name}`)) lines.push(`mkdir ${target}`);
    else if (stat.isDirectory()) lines.push(`mkdir ${target}`, `mount -n --rbind /${target} ${target}`);
  }
  lines.push(
    // What this user may not read (shadow, without root) is left out.
    "cp -a /etc/. etc/ 2>/dev/null || true",
    "rm -f etc/resolv.conf etc/hosts etc/hostname",
    "touch etc/resolv.conf etc/hosts etc/hostname",
    `mkdir ${CONTAINER_RUNTIME.slice(1)}`,
    `mount -n --rbind ${RUNTIME_FOLDER} ${CONTAINER_RUNTIME.slice(1)}`,
  );
  await runProgram("sh", ["-c", lines.join("\n")]);
}

function isOwn(path: string): boolean {
  return OWN_FOLDERS.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** The same place without `..`, and with the host's /var/run taken for the /run that it is. */
export function normalizeMountPath(path: string): string {
  const plain = posix.normalize(path).replace(/(.)\/$/, "$1");
  return plain === "/var/run" || plain.startsWith("/var/run/") ? plain.slice("/var".length) : plain;
}

/**
 * Shell lines, run in a container's own view with `$root` set, that make a mount point exist. A folder of the host is
 * never written to: where a new name is needed in one, a tmpfs with bind mounts of all its members takes its place.
 */
export function mountPointLines(path: string, isFile: boolean, existsOnHost: (path: string) => boolean): string[] {
  const make = isFile
    ? [`mkdir -p "$root"${quote(posix.dirname(path))}`, `touch "$root"${quote(path)}`]
    : [`mkdir -p "$root"${quote(path)}`];
  if (isOwn(path)) return make;
  if (existsOnHost(path)) return [];
  let parent = posix.dirname(path);
  while (!existsOnHost(parent)) parent = posix.dirname(parent);
  return parent === "/" || isOwn(parent) ? make : [`replace_with_members "$root"${quote(parent)}`, ...make];
}

/** Shell function that mountPointLines uses. */
export const REPLACE_WITH_MEMBERS = `replace_with_members() {
  [ -e "$1/.meshctl-members" ] && return
  copy=$(mktemp -d "$root/tmp/members.XXXXXX")
  mount -n --rbind "$1" "$copy"
  mount -n -t tmpfs -o mode=755 tmpfs "$1"
  : > "$1/.meshctl-members"
  for member in "$copy"/* "$copy"/.[!.]*; do
    name=\${member##*/}
    if [ -L "$member" ]; then cp -P "$member" "$1/$name"
    elif [ -d "$member" ]; then mkdir "$1/$name"; mount -n --rbind "$member" "$1/$name"
    elif [ -e "$member" ]; then : > "$1/$name"; mount -n --bind "$member" "$1/$name"
    fi
  done
}`;
