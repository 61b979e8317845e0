// The local address to connect from: of the configured ones the one of the target's family.
import type { ClusterConfig } from "../config/cluster-config.ts";

export function sourceAddressFor(config: ClusterConfig, targetIp: string): string | undefined {
  const wantsIpv6 = targetIp.includes(":");
  return config.bindSourceAddresses.find((each) => each.includes(":") === wantsIpv6);
}
