// Where --verify's connections go: an address and port that the rules capture and that the namespace has a route to. A
// connection without a route fails before iptables sees it.
import { createSocket } from "node:dgram";
import { BlockList } from "node:net";
import { networkInterfaces } from "node:os";
import type { CaptureOptions } from "../capture-options.ts";
import type { Endpoint } from "./native-calls.ts";
import { isLoopbackCidr, toCidr } from "../option-values.ts";
import type { Cidr } from "../option-values.ts";
import type { Family } from "../rules/table-rules.ts";

// RFC 5737 and RFC 3849: addresses for documentation, where nobody is.
const NOBODY: Readonly<Record<Family, readonly string[]>> = { ipv4: ["198.51.100.1", "203.0.113.1", "192.0.2.1"], ipv6: ["2001:db8::1"] };

const DNS_PORT = 53;

/** The first captured outbound port from the probe port on. */
export function outboundProbePort(options: CaptureOptions): number {
  if (options.outboundRanges.length === 0) return options.outboundPorts.find((port) => !options.outboundPortsExcluded.includes(port)) ?? 0;
  return freePort(options.probePort, options.outboundPortsExcluded);
}

/** The first captured inbound port from the probe port on; a port that -o excludes is spared too, for connections over lo. */
export function inboundProbePort(options: CaptureOptions): number {
  if (options.inboundPorts === "*") return freePort(options.probePort, [...options.inboundPortsExcluded, ...options.outboundPortsExcluded]);
  return options.inboundPorts.find((port) => !options.outboundPortsExcluded.includes(port)) ?? options.inboundPorts[0] ?? 0;
}

function freePort(first: number, excluded: readonly number[]): number {
  for (let port = first; port <= 65535; port++) if (port !== DNS_PORT && !excluded.includes(port)) return port;
  return 0;
}

export function capturesOutbound(options: CaptureOptions, family: Family): boolean {
  const ranges = options.outboundRanges === "*" || options.outboundRanges.some((range) => range.family === family);
  return (ranges || options.outboundPorts.length > 0) && outboundProbePort(options) !== 0;
}

/** An outbound destination that the rules capture and a route leads to; undefined when there is none. */
export async function outboundTarget(options: CaptureOptions, family: Family): Promise<Endpoint | undefined> {
  const port = outboundProbePort(options);
  const excluded = blockList(options.outboundRangesExcluded);
  const ranges =
    options.outboundRanges === "*" || options.outboundRanges.length === 0
      ? undefined
      : options.outboundRanges.filter((range) => range.family === family);
  const candidates = ranges === undefined ? [...NOBODY[family], ...neighbours(family)] : ranges.flatMap(addressesIn);
  const own = new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((each) => each.address)));
  for (const address of candidates) {
    if (excluded.check(address, family) || own.has(address)) continue;
    const source = await sourceFor(address, family);
    if (source === undefined) continue;
    if (source.loopback && ranges?.some(isLoopbackCidr) !== true) continue;
    if (matchesName(options.interfacesExcluded, source.device)) continue;
    return { address, port };
  }
  return undefined;
}

function matchesName(patterns: readonly string[], device: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith("+") ? device.startsWith(pattern.slice(0, -1)) : pattern === device));
}

function blockList(ranges: readonly Cidr[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.text.split("/");
    list.addSubnet(address, Number(bits), range.family);
  }
  return list;
}

/** The first addresses of a range, without the network's own where there are more. */
function addressesIn(range: Cidr): readonly string[] {
  const [network = "", bits] = range.text.split("/");
  if (Number(bits) === (range.family === "ipv4" ? 32 : 128)) return [network];
  return [1, 2, 3].map((step) => addToAddress(network, step)).filter((address) => toCidr(`${address}/${bits ?? ""}`)?.text === range.text);
}

function addToAddress(address: string, step: number): string {
  if (!address.includes(":")) return address.replace(/\d+$/, (last) => String((Number(last) + step) & 255));
  // The last group of a network address is empty (`fd00::`) or a number.
  return address.endsWith("::")
    ? `${address}${step.toString(16)}`
    : address.replace(/[0-9a-f]+$/, (last) => (parseInt(last, 16) + step).toString(16));
}

/** Addresses of the pod's own subnets: reachable without a default route. */
function neighbours(family: Family): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? [])
      .filter(
        (each) =>
          !each.internal &&
          each.family === (family === "ipv4" ? "IPv4" : "IPv6") &&
          each.cidr !== null &&
          !each.address.startsWith("fe80:"),
      )
      .flatMap((each) => {
        const subnet = toCidr(each.cidr ?? "");
        return subnet === undefined ? [] : addressesIn(subnet);
      }),
  );
}

/** The interface and source that a route gives for an address (a connected UDP socket sends nothing); undefined: no route. */
function sourceFor(address: string, family: Family): Promise<{ readonly device: string; readonly loopback: boolean } | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(family === "ipv4" ? "udp4" : "udp6");
    socket.once("error", () => socket.close(() => resolve(undefined)));
    socket.once("connect", () => {
      const source = socket.address().address;
      socket.close();
      const found = Object.entries(networkInterfaces()).find(([, list]) => (list ?? []).some((each) => each.address === source));
      resolve({ device: found?.[0] ?? "", loopback: found?.[0] === "lo" || source.startsWith("127.") });
    });
    socket.connect(1, address);
  });
}
