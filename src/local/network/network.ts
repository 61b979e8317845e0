// The sandbox's network: a bridge, and a network namespace with one veth on it for each pod. Runs inside the sandbox.
import { existsSync, writeFileSync } from "node:fs";
import { GATEWAY, POD_MASK_V4, POD_MASK_V6, type AddressPair } from "./address-pool.ts";
import { runProgram } from "../run-program.ts";

const BRIDGE = "mesh0";
/** Locally administered. Without one the kernel takes its ports' lowest, anew with each pod, and older pods wait for ARP to forget. */
const BRIDGE_MAC = "02:6d:65:73:68:00";

export class Network {
  /** Whether this machine's kernel has IPv6. */
  readonly hasV6: boolean;
  #nextLink = 1;

  constructor(hasV6: boolean) {
    this.hasV6 = hasV6;
  }

  /** Makes the bridge. It routes nowhere: with forwarding on, a packet to an unknown address is answered "unreachable" at once. */
  static async create(): Promise<Network> {
    const hasV6 = existsSync("/proc/sys/net/ipv6");
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    if (hasV6) {
      writeFileSync("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0");
      writeFileSync("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0");
      writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    }
    await runProgram(
      "ip",
      ["-batch", "-"],
      [
        "link set lo up",
        `link add ${BRIDGE} address ${BRIDGE_MAC} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
        `addr add ${GATEWAY.v4}/${POD_MASK_V4} dev ${BRIDGE}`,
        ...(hasV6 ? [`addr add ${GATEWAY.v6}/${POD_MASK_V6} dev ${BRIDGE} nodad`] : []),
        `link set ${BRIDGE} up`,
        "",
      ].join("\n"),
    );
    return new Network(hasV6);
  }

  /** @returns the pod's addresses, IPv4 first. */
  addresses(pair: AddressPair): string[] {
    return this.hasV6 ? [pair.v4, pair.v6] : [pair.v4];
  }

  /** Makes the namespace `name` (under /run/netns) with the address. */
  async addPod(name: string, pair: AddressPair): Promise<void> {
    const link = `veth${this.#nextLink++}`;
    await runProgram("ip", ["netns", "add", name]);
    await runProgram(
      "ip",
      ["-batch", "-"],
      [`link add ${link} type veth peer name eth0 netns ${name}`, `link set ${link} master ${BRIDGE} up`, ""].join("\n"),
    );
    const v6 = this.hasV6;
    const inside = [
      "link set lo up",
      `addr add ${pair.v4}/${POD_MASK_V4} dev eth0`,
      ...(v6 ? [`addr add ${pair.v6}/${POD_MASK_V6} dev eth0 nodad`] : []),
      "link set eth0 up",
      `route add default via ${GATEWAY.v4}`,
      ...(v6 ? [`route add default via ${GATEWAY.v6}`] : []),
    ];
    // As container runtimes do: ports below 1024 need no privilege in a pod.
    const script = [
      "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start",
      ...(v6 ? ["echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6", "echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6"] : []),
      "exec ip -batch -",
    ].join(" && ");
    await runProgram("nsenter", [`--net=/run/netns/${name}`, "sh", "-c", script], `${inside.join("\n")}\n`);
  }

  /** Ends every process that is still in the namespace, then removes it. */
  async removePod(name: string): Promise<void> {
    const left = await runProgram("ip", ["netns", "pids", name]).catch(() => "");
    for (const pid of left.split("\n").map(Number)) {
      try {
        if (pid > 1) process.kill(pid, "SIGKILL");
      } catch {
        // It ended meanwhile.
      }
    }
    await runProgram("ip", ["netns", "delete", name]).catch(() => undefined);
  }
}
