// The few system calls that --verify needs and Node doesn't offer, through koffi; loaded only then.
import type { Socket } from "node:net";

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface NativeCalls {
  /** Where an accepted connection was going before it was redirected; undefined when it was not. */
  originalDestination(socket: Socket): Endpoint | undefined;
  /** Makes the sockets that this thread creates belong to a user and group; false when the kernel refuses. */
  setSocketOwner(uid: number, gid: number): boolean;
  /** Moves this thread into a new network namespace; false when not allowed. */
  unshareNetwork(): boolean;
  /** Moves this thread into the network namespace of an open descriptor; false when not allowed. */
  enterNetwork(descriptor: number): boolean;
}

const SOL_IP = 0;
const SOL_IPV6 = 41;
// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST, linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h.
const SO_ORIGINAL_DST = 80;
const CLONE_NEWNET = 0x40000000;
const NO_ID = 0xffffffff;

export async function loadNativeCalls(): Promise<NativeCalls> {
  const { default: koffi } = await import("koffi");
  // The program itself: Node is linked to the C library, whichever that is.
  const libc = koffi.load(null);
  const getsockopt = libc.func("int getsockopt(int, int, int, uint8_t *, uint32_t *)");
  // setfsuid and not setuid: it is per thread, is what the kernel's owner match looks at, and keeps the right to return.
  const setfsuid = libc.func("int setfsuid(uint32_t)");
  const setfsgid = libc.func("int setfsgid(uint32_t)");
  const unshare = libc.func("int unshare(int)");
  const setns = libc.func("int setns(int, int)");
  return {
    originalDestination(socket) {
      const v6 = socket.remoteFamily === "IPv6";
      const sockaddr = Buffer.alloc(28);
      const length = new Uint32Array([sockaddr.length]);
      if (getsockopt(descriptorOf(socket), v6 ? SOL_IPV6 : SOL_IP, SO_ORIGINAL_DST, sockaddr, length) !== 0) return undefined;
      return { address: v6 ? toIpv6(sockaddr.subarray(8, 24)) : [...sockaddr.subarray(4, 8)].join("."), port: sockaddr.readUInt16BE(2) };
    },
    setSocketOwner(uid, gid) {
      setfsgid(gid);
      setfsuid(uid);
      // Both return the id before the call; an impossible id changes nothing and so reads it.
      return (setfsgid(NO_ID) as number) === gid && (setfsuid(NO_ID) as number) === uid;
    },
    unshareNetwork: () => unshare(CLONE_NEWNET) === 0,
    enterNetwork: (descriptor) => setns(descriptor, CLONE_NEWNET) === 0,
  };
}

function descriptorOf(socket: Socket): number {
  // Node shows the descriptor nowhere else (v26).
  const handle = (socket as unknown as { readonly _handle: { readonly fd: number } | null })._handle;
  return handle?.fd ?? -1;
}

function toIpv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
