// What a failure of the iptables programs means to a person: missing capability, missing kernel modules, a lock file that
// can't be written. The programs' own words come last in the message.
import { readFileSync } from "node:fs";
import { UserError } from "../common/user-error.ts";

// capability.h
const CAP_NET_ADMIN = 12n;
const CAP_NET_RAW = 13n;

/** The effective capabilities of this thread as a bit set; undefined where /proc doesn't tell. */
function effectiveCapabilities(): bigint | undefined {
  try {
    const found = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/thread-self/status", "utf8"));
    return found?.[1] === undefined ? undefined : BigInt(`0x${found[1]}`);
  } catch {
    return undefined;
  }
}

const ADD_CAPABILITIES =
  "run it as root; in Kubernetes give the init container runAsUser: 0 and capabilities.add: [NET_ADMIN, NET_RAW], in a namespace whose pod security allows them";

/** Refuses to begin without what every iptables program needs. */
export function requireNetAdmin(): void {
  const capabilities = effectiveCapabilities();
  if (capabilities === undefined || ((capabilities >> CAP_NET_ADMIN) & 1n) === 1n) return;
  throw new UserError("changing iptables rules needs the capability NET_ADMIN, which this process doesn't have", ADD_CAPABILITIES);
}

function lacksNetRaw(): boolean {
  const capabilities = effectiveCapabilities();
  return capabilities !== undefined && ((capabilities >> CAP_NET_RAW) & 1n) === 0n;
}

/**
 * Refuses ids that this user namespace does not know: the kernel takes no rule with such an owner and says only EINVAL.
 * @param maps the texts of uid_map and gid_map, lines of `first-inside first-outside count`.
 */
export function requireKnownOwners(
  owners: { readonly uids: readonly number[]; readonly gids: readonly number[] },
  maps: { readonly uid: string; readonly gid: string },
): void {
  for (const [ids, map, kind] of [
    [owners.uids, maps.uid, "user"],
    [owners.gids, maps.gid, "group"],
  ] as const) {
    const ranges = map
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number));
    const unknown =
      map.trim() === "" ? undefined : ids.find((id) => !ranges.some(([first = 0, , count = 0]) => id >= first && id < first + count));
    if (unknown === undefined) continue;
    throw new UserError(
      `${kind} ${unknown} does not exist in this user namespace, so no rule can name it`,
      `map more ids into it (unshare --map-auto, with a range in /etc/sub${kind === "user" ? "u" : "g"}id), or give others with --proxy-uid and --proxy-gid`,
    );
  }
}

const FORBIDDEN = /permission denied|operation not permitted|must be root/i;

/** Whether a program failed for want of rights, so that what it would have shown is unknown. */
export function isForbidden(stderr: string): boolean {
  return FORBIDDEN.test(stderr);
}

const KERNEL_HINT =
  "load them on the node: modprobe -a nf_nat nf_conntrack nft_compat iptable_nat ip6table_nat iptable_raw xt_REDIRECT xt_owner xt_conntrack xt_CT";

/** The UserError for a failed iptables program: `program` as run, `stderr` as printed. */
export function explainFailure(program: string, stderr: string): UserError {
  const text =
    stderr
      .trim()
      .split("\n")[0]
      ?.replace(/^\S*tables\S*( v[\d.]+ \(\w+\))?: /, "") ?? "";
  if (stderr.includes("xtables.lock")) {
    return new UserError(
      `${program} can't use its lock file: ${text}`,
      "make /run writable for this process, or mount an empty volume there",
    );
  }
  if (isForbidden(stderr)) {
    if (lacksNetRaw())
      return new UserError(`${program} needs the capability NET_RAW, which this process doesn't have: ${text}`, ADD_CAPABILITIES);
    return new UserError(
      `${program} was refused by the kernel: ${text}`,
      "this network namespace belongs to another user namespace, or a security policy (seccomp, AppArmor, SELinux) forbids it",
    );
  }
  if (
    /can't initialize|unable to initialize|No chain\/target\/match|insmod|not supported|No such file|load (match|target)|Invalid argument/i.test(
      stderr,
    )
  ) {
    return new UserError(`${program} failed, the kernel lacks modules that the rules need: ${text}`, KERNEL_HINT);
  }
  return new UserError(`${program} failed: ${text}`);
}
