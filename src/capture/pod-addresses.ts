// The network namespace's IPv6 side: whether the pod has it, and the address ::6 on lo, from which the sidecar hands
// inbound traffic to its own workload (IPv4 needs none: all of 127.0.0.0/8 is on lo).
import { readFileSync } from "node:fs";
import { UserError } from "../common/user-error.ts";
import { INBOUND_PASSTHROUGH_SOURCE_V6 } from "../xds/names.ts";
import { findProgram, runTool } from "./iptables-backend.ts";

export interface Ipv6Address {
  /** 32 hexadecimal digits. */
  readonly digits: string;
  readonly device: string;
  /** if_inet6's scope: 0x00 global, 0x10 host, 0x20 link, 0x80 IPv4-compatible. */
  readonly scope: number;
}

/** /proc/net/if_inet6: `address index prefix scope flags device`. A kernel without IPv6 has no such file. */
export function parseIfInet6(text: string): readonly Ipv6Address[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length === 6)
    .map(([digits = "", , , scope = "", , device = ""]) => ({ digits, device, scope: parseInt(scope, 16) }));
}

export function readIpv6Addresses(): readonly Ipv6Address[] {
  try {
    // By thread: what runs here may have been moved to another namespace than its process's first thread.
    return parseIfInet6(readFileSync("/proc/thread-self/net/if_inet6", "utf8"));
  } catch {
    return [];
  }
}

const LINK_SCOPE = 0x20;
const PASSTHROUGH_DIGITS = "6".padStart(32, "0");

/** An address by which others can reach the pod over IPv6: neither on lo nor link-local. */
export function hasIpv6(addresses: readonly Ipv6Address[]): boolean {
  return addresses.some((each) => each.device !== "lo" && each.scope !== LINK_SCOPE);
}

function hasPassthroughAddress(): boolean {
  return readIpv6Addresses().some((each) => each.device === "lo" && each.digits === PASSTHROUGH_DIGITS);
}

async function changeAddress(verb: "add" | "del", path: string | undefined): Promise<void> {
  const ip = findProgram("ip", path);
  if (ip === undefined) throw new UserError("the program ip is not installed", "apt-get install -y iproute2");
  const result = await runTool(ip, ["-6", "addr", verb, `${INBOUND_PASSTHROUGH_SOURCE_V6}/128`, "dev", "lo"]);
  if (!result.ok) {
    throw new UserError(
      `can't ${verb === "add" ? "add" : "remove"} the address ${INBOUND_PASSTHROUGH_SOURCE_V6} on lo: ${result.stderr.trim()}`,
      "IPv6 may be switched off on lo: sysctl -w net.ipv6.conf.lo.disable_ipv6=0",
    );
  }
}

/** Makes lo have ::6; resolves to whether it had to be added. */
export async function addPassthroughAddress(path: string | undefined): Promise<boolean> {
  if (hasPassthroughAddress()) return false;
  await changeAddress("add", path);
  return true;
}

/** Takes ::6 from lo; resolves to whether it was there. */
export async function removePassthroughAddress(path: string | undefined): Promise<boolean> {
  if (!hasPassthroughAddress()) return false;
  await changeAddress("del", path);
  return true;
}
