// Can this machine and this user run a local mesh? Programs, root or user namespaces; every "no" says what to do.
import { spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { UserError } from "../common/user-error.ts";

const PROGRAMS: readonly { readonly name: string; readonly debianPackage: string }[] = [
  { name: "unshare", debianPackage: "util-linux" },
  { name: "nsenter", debianPackage: "util-linux" },
  { name: "setpriv", debianPackage: "util-linux" },
  { name: "mount", debianPackage: "mount" },
  { name: "ip", debianPackage: "iproute2" },
  { name: "iptables-restore", debianPackage: "iptables" },
];

/** System programs live in sbin, which an ordinary user's PATH often lacks. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export const SANDBOX_NAMESPACES = ["--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--propagation", "private"] as const;
export const ROOTLESS_NAMESPACES = ["--user", "--map-auto", "--map-root-user"] as const;

/** Identities that the pods need: 1337 for sidecars and 10001 for apps must be mapped. */
const NEEDED_IDS = 10_002;

function isExecutable(name: string): boolean {
  return SYSTEM_PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

function tryUnshare(flags: readonly string[]): string | undefined {
  const result = spawnSync("unshare", [...flags, "true"], { encoding: "utf8", env: { PATH: SYSTEM_PATH }, timeout: 10_000 });
  if (result.status === 0) return undefined;
  return (result.error?.message ?? result.stderr.trim()) || `unshare ended with ${result.status ?? result.signal}`;
}

function hasSubordinateIds(file: string, user: string, uid: number): boolean {
  return (readText(file) ?? "").split("\n").some((line) => {
    const [owner, , count] = line.split(":");
    return (owner === user || owner === `${uid}`) && Number(count) >= NEEDED_IDS;
  });
}

/** Why user namespaces don't work here, from the most basic reason to the rarest; undefined when none of the known ones applies. */
function rootlessObstacle(): UserError | undefined {
  const orRoot = "or run the command as root (sudo)";
  const { username, uid } = userInfo();
  const help = spawnSync("unshare", ["--help"], { encoding: "utf8", env: { PATH: SYSTEM_PATH } });
  if (!help.stdout.includes("--map-auto")) {
    return new UserError("running without root needs unshare --map-auto, from util-linux 2.38 or newer", `upgrade util-linux, ${orRoot}`);
  }
  if (!isExecutable("newuidmap") || !isExecutable("newgidmap")) {
    return new UserError("running without root needs newuidmap and newgidmap", `apt-get install uidmap, ${orRoot}`);
  }
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    if (!hasSubordinateIds(file, username, uid)) {
      return new UserError(
        `running without root needs a range of at least ${NEEDED_IDS} ids for ${username} in ${file}`,
        `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username} (as root), ${orRoot}`,
      );
    }
  }
  if (readText("/proc/sys/user/max_user_namespaces") === "0") {
    return new UserError(
      "this machine allows no user namespaces (user.max_user_namespaces is 0)",
      `sysctl -w user.max_user_namespaces=10000 (as root), ${orRoot}`,
    );
  }
  if (readText("/proc/sys/kernel/unprivileged_userns_clone") === "0") {
    return new UserError(
      "this machine allows user namespaces only to root (kernel.unprivileged_userns_clone is 0)",
      `sysctl -w kernel.unprivileged_userns_clone=1 (as root), ${orRoot}`,
    );
  }
  return undefined;
}

function checkRootless(): void {
  const obstacle = rootlessObstacle();
  if (obstacle !== undefined) throw obstacle;
  // With the namespaces made, a mount shows whether they carry any privilege: AppArmor strips it without a word.
  const failed = tryUnshare([...ROOTLESS_NAMESPACES, ...SANDBOX_NAMESPACES, "--mount-proc"]);
  if (failed === undefined) return;
  if (readText("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1") {
    throw new UserError(
      "AppArmor restricts user namespaces on this machine (kernel.apparmor_restrict_unprivileged_userns is 1, Ubuntu's default)",
      "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (as root), or run the command as root (sudo)",
    );
  }
  throw new UserError(
    `this machine refuses the user namespaces that running without root needs: ${failed}`,
    "run the command as root (sudo)",
  );
}

/**
 * Checks everything before anything is started.
 * @returns how the sandbox must be made.
 * @throws UserError that names the obstacle and the remedy.
 */
export function checkPrerequisites(): { readonly rootless: boolean } {
  if (process.platform !== "linux") {
    throw new UserError("a local mesh needs Linux: its pods are network namespaces", "use a Linux machine or virtual machine");
  }
  const missing = PROGRAMS.filter((program) => !isExecutable(program.name));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => program.debianPackage))].join(" ");
    throw new UserError(
      `missing programs: ${missing.map((program) => program.name).join(", ")}`,
      `on Debian or Ubuntu: apt-get install ${packages}`,
    );
  }
  const rootless = process.getuid?.() !== 0;
  if (rootless) {
    checkRootless();
  } else {
    const failed = tryUnshare(SANDBOX_NAMESPACES);
    if (failed !== undefined) {
      throw new UserError(
        `root may not make namespaces here: ${failed}`,
        "in a container, run it with CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged)",
      );
    }
  }
  return { rootless };
}
