// A second network namespace, joined to this one by a veth pair for the time of one test: what comes from there passes
// PREROUTING as a stranger's connection does. Needs SYS_ADMIN, which a Kubernetes init container usually lacks.
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { findProgram } from "../iptables-backend.ts";
import type { NativeCalls } from "./native-calls.ts";
import type { Family } from "../rules/table-rules.ts";

const HERE = "/proc/thread-self/ns/net";
const DEVICE = `msh-${process.pid}`.slice(0, 15);
// Link-local (RFC 3927) and unique local (RFC 4193): not routed to by anything in a pod.
const ADDRESS: Readonly<Record<Family, { readonly pod: string; readonly peer: string; readonly bits: number }>> = {
  ipv4: { pod: "169.254.120.1", peer: "169.254.120.2", bits: 30 },
  ipv6: { pod: "fd6d:6573:6863:746c::1", peer: "fd6d:6573:6863:746c::2", bits: 64 },
};

export interface Peer {
  /** The pod's address on the link, for the peer to connect to. */
  readonly address: Readonly<Record<Family, string>>;
  /** Runs `open` with this thread in the peer's namespace: sockets that it creates stay there. */
  readonly from: <T>(open: () => Promise<T>) => Promise<T>;
  readonly close: () => void;
}

/** Undefined when this process may not make namespaces or devices. */
export function openPeer(families: readonly Family[], native: NativeCalls, path: string | undefined): Peer | undefined {
  const ip = findProgram("ip", path);
  if (ip === undefined) return undefined;
  const home = openSync(HERE, "r");
  if (!native.unshareNetwork()) {
    closeSync(home);
    return undefined;
  }
  const away = openSync(HERE, "r");
  const go = (descriptor: number): void => {
    if (!native.enterNetwork(descriptor)) throw new Error("setns failed: this process is lost in its test namespace");
  };
  // A child inherits the namespace of the thread that starts it.
  const batch = (commands: readonly string[]): boolean => spawnSync(ip, ["-batch", "-"], { input: commands.join("\n") }).status === 0;
  const configure = (device: string, side: "pod" | "peer"): readonly string[] => [
    ...families.map((family) => {
      const { [side]: address, bits } = ADDRESS[family];
      return `addr add ${address}/${bits} dev ${device}${family === "ipv6" ? " nodad" : ""}`;
    }),
    `link set ${device} up`,
  ];
  const close = (): void => {
    spawnSync(ip, ["link", "del", DEVICE]);
    closeSync(away);
    closeSync(home);
  };
  go(home);
  const link = `link add ${DEVICE} type veth peer name eth0 netns /proc/${process.pid}/fd/${away}`;
  let ready = batch([link, ...configure(DEVICE, "pod")]);
  if (ready) {
    go(away);
    ready = batch(configure("eth0", "peer"));
    go(home);
  }
  if (!ready) {
    close();
    return undefined;
  }
  return {
    address: { ipv4: ADDRESS.ipv4.pod, ipv6: ADDRESS.ipv6.pod },
    async from(open) {
      go(away);
      try {
        return await open();
      } finally {
        go(home);
      }
    },
    close,
  };
}
