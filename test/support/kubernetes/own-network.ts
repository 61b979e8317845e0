// Takes this test process, and whatever it starts from now on, into a network namespace of its own, where ports and
// addresses are free for the taking and no packet leaves. The namespace goes when the last of them does. Needs root.
import { execFileSync } from "node:child_process";
import koffi from "koffi";

const CLONE_NEWNET = 0x40000000;
/** The API server refuses endpoints on loopback addresses; these are on the loopback device and look like a network's. */
const ADDRESSES = Array.from({ length: 8 }, (_, index) => `10.99.0.${index + 1}`);

/** @returns addresses that servers may listen on. */
export function enterOwnNetwork(): readonly string[] {
  const unshare = koffi.load(null).func("int unshare(int flags)") as (flags: number) => number;
  // Of the calling thread, which makes all of Node's sockets and child processes.
  if (unshare(CLONE_NEWNET) !== 0) throw new Error(`unshare: errno ${koffi.errno()}`);
  const script = ["ip link set lo up", ...ADDRESSES.map((each) => `ip addr add ${each}/32 dev lo`)].join("; ");
  execFileSync("sh", ["-e", "-c", script]);
  return ADDRESSES;
}
