// Options → the rules of DNS capture: port 53 to the sidecar's 15053 (nat), and conntrack zones (raw) that keep the
// application's questions apart from the sidecar's own: with one zone, equal port pairs of the two would collide.
import { Port } from "../../xds/names.ts";
import type { CaptureOptions } from "../capture-options.ts";
import { Chain } from "./table-rules.ts";
import type { Family, Rule, TableRules } from "./table-rules.ts";

const SIDECAR_ZONE = "CT --zone 1";
const APPLICATION_ZONE = "CT --zone 2";

/** Servers of the family as match texts: one empty match for every server. */
function servers(options: CaptureOptions, family: Family): readonly string[] {
  if (options.dns === undefined) return [];
  return options.dns.everyServer ? [""] : options.dns.servers.filter((each) => each.family === family).map((each) => each.text);
}

export function capturesDns(options: CaptureOptions, family: Family): boolean {
  return servers(options, family).length > 0;
}

export function dnsNatRules(options: CaptureOptions, family: Family): readonly Rule[] {
  const each = servers(options, family);
  return ["tcp", "udp"].flatMap((protocol) =>
    each.map((server) => ({
      chain: Chain.outputDns,
      spec: `${server === "" ? "" : `-d ${server} `}-p ${protocol} --dport 53 -j REDIRECT --to-ports ${Port.dns}`,
    })),
  );
}

/** The raw table, or nothing when the family's DNS is not captured. */
export function dnsRawRules(options: CaptureOptions, family: Family): TableRules | undefined {
  const each = servers(options, family);
  if (each.length === 0) return undefined;
  const owners = [...options.proxyUids.map((uid) => `--uid-owner ${uid}`), ...options.proxyGids.map((gid) => `--gid-owner ${gid}`)];
  return {
    table: "raw",
    chains: [Chain.outputDns, Chain.inbound],
    rules: [
      { chain: "OUTPUT", spec: `-j ${Chain.outputDns}` },
      ...owners.flatMap((owner): readonly Rule[] => [
        { chain: Chain.outputDns, spec: `-p udp --dport 53 -m owner ${owner} -j ${SIDECAR_ZONE}` },
        { chain: Chain.outputDns, spec: `-p udp --sport ${Port.dns} -m owner ${owner} -j ${APPLICATION_ZONE}` },
      ]),
      { chain: "PREROUTING", spec: `-j ${Chain.inbound}` },
      ...each.flatMap((server): readonly Rule[] => [
        { chain: Chain.outputDns, spec: `${server === "" ? "" : `-d ${server} `}-p udp --dport 53 -j ${APPLICATION_ZONE}` },
        { chain: Chain.inbound, spec: `${server === "" ? "" : `-s ${server} `}-p udp --sport 53 -j ${SIDECAR_ZONE}` },
      ]),
    ],
  };
}
