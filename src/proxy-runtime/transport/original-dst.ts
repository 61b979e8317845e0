// Where a captured connection was going before iptables' REDIRECT turned it to us: getsockopt(SO_ORIGINAL_DST), which
// Node does not offer, through koffi. 2 µs a call, once per connection.
import type { Socket } from "node:net";
import type { SocketAddress } from "./socket-address.ts";

const SOL_IP = 0;
const SOL_IPV6 = 41;
// linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h: the same number for both families.
const SO_ORIGINAL_DST = 80;

type GetSockOpt = (fd: number, level: number, name: number, value: Buffer, length: Int32Array) => number;

/** Asks the kernel for a socket's original destination; undefined where there is none (not redirected) or it can't be told. */
export type OriginalDst = (socket: Socket) => SocketAddress | undefined;

/**
 * Loads the C library's getsockopt. Loaded only by proxies that restore original destinations.
 * @throws Error where koffi has no build for the platform.
 */
export async function loadOriginalDst(): Promise<OriginalDst> {
  const { default: koffi } = await import("koffi");
  const libc = koffi.load(null);
  const getsockopt = libc.func("int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ int *length)") as GetSockOpt;
  const value = Buffer.alloc(28);
  const length = new Int32Array(1);
  return (socket) => {
    const fd = (socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1;
    if (fd < 0) return undefined;
    if (socket.remoteFamily === "IPv6" && !socket.remoteAddress!.startsWith("::ffff:")) {
      length[0] = 28;
      if (getsockopt(fd, SOL_IPV6, SO_ORIGINAL_DST, value, length) !== 0) return undefined;
      return { ip: ipv6Text(value.subarray(8, 24)), port: value.readUInt16BE(2) };
    }
    length[0] = 16;
    if (getsockopt(fd, SOL_IP, SO_ORIGINAL_DST, value, length) !== 0) return undefined;
    return { ip: `${value[4]}.${value[5]}.${value[6]}.${value[7]}`, port: value.readUInt16BE(2) };
  };
}

/** RFC 5952 text of 16 bytes. */
export function ipv6Text(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let index = 0; index < 16; index += 2) groups.push((bytes[index]! << 8) | bytes[index + 1]!);
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length += 1;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(":");
  if (bestStart < 0) return hex(groups);
  return `${hex(groups.slice(0, bestStart))}::${hex(groups.slice(bestStart + bestLength))}`;
}
