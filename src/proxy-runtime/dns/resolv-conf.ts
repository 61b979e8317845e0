// The nameservers that a pod was given, for names that the mesh doesn't know.
import { isIP } from "node:net";
import type { HostPort } from "../../common/address.ts";

const DNS_PORT = 53;
// resolv.conf(5): MAXNS.
const MAX_SERVERS = 3;

/** resolv.conf(5): `nameserver ADDRESS`; what is no address is skipped, as the C library does. */
export function parseNameservers(text: string): HostPort[] {
  const servers: HostPort[] = [];
  for (const line of text.split("\n")) {
    const [keyword, address = ""] = line.trim().split(/\s+/);
    if (keyword === "nameserver" && isIP(address) !== 0) servers.push({ host: address, port: DNS_PORT });
  }
  return servers.slice(0, MAX_SERVERS);
}
