// Options → the nat table: which TCP connections are redirected to the sidecar. The order of the lines is their meaning;
// what each is for stands in docs/init.md.
import { INBOUND_PASSTHROUGH_SOURCE_V4, INBOUND_PASSTHROUGH_SOURCE_V6 } from "../../xds/names.ts";
import type { CaptureOptions } from "../capture-options.ts";
import { capturesDns, dnsNatRules } from "./dns-rules.ts";
import { isLoopbackCidr } from "../option-values.ts";
import { Chain } from "./table-rules.ts";
import type { Family, Rule, TableRules } from "./table-rules.ts";

export function natRules(options: CaptureOptions, family: Family): TableRules {
  const dns = capturesDns(options, family);
  const chains: string[] = [Chain.inbound, Chain.redirect, Chain.inRedirect, Chain.output];
  if (dns) chains.push(Chain.outputDns);
  return {
    table: "nat",
    chains,
    rules: [
      { chain: Chain.redirect, spec: `-p tcp -j REDIRECT --to-ports ${options.outboundPort}` },
      { chain: Chain.inRedirect, spec: `-p tcp -j REDIRECT --to-ports ${options.inboundPort}` },
      ...inboundRules(options),
      { chain: "OUTPUT", spec: `-j ${Chain.output}` },
      ...outputRules(options, family, dns),
      ...virtualInterfaceRules(options, family),
    ],
  };
}

function inboundRules(options: CaptureOptions): readonly Rule[] {
  const { inboundPorts } = options;
  if (inboundPorts.length === 0) return [];
  const rules: Rule[] = [{ chain: "PREROUTING", spec: `-p tcp -j ${Chain.inbound}` }];
  const add = (spec: string): unknown => rules.push({ chain: Chain.inbound, spec });
  for (const name of [...options.interfacesExcluded, ...options.virtualInterfaces]) add(`-i ${name} -j RETURN`);
  if (inboundPorts === "*") {
    for (const port of options.inboundPortsExcluded) add(`-p tcp --dport ${port} -j RETURN`);
    add(`-p tcp -j ${Chain.inRedirect}`);
  } else {
    for (const port of inboundPorts) add(`-p tcp --dport ${port} -j ${Chain.inRedirect}`);
  }
  return rules;
}

function outputRules(options: CaptureOptions, family: Family, dns: boolean): readonly Rule[] {
  const rules: Rule[] = [];
  const add = (spec: string): unknown => rules.push({ chain: Chain.output, spec });
  const passthroughSource = family === "ipv4" ? `${INBOUND_PASSTHROUGH_SOURCE_V4}/32` : `${INBOUND_PASSTHROUGH_SOURCE_V6}/128`;
  const loopback = family === "ipv4" ? options.loopbackV4 : "::1/128";

  for (const name of options.interfacesExcluded) add(`-o ${name} -j RETURN`);
  // Before connections back to the pod itself are redirected, or an excluded port of the pod's own address would be captured.
  for (const port of options.outboundPortsExcluded) {
    add(`-p tcp --dport ${port} -j RETURN`);
    add(`-p udp --dport ${port} -j RETURN`);
  }
  add(`-o lo -s ${passthroughSource} -j RETURN`);
  for (const uid of options.proxyUids) ownerRules(options, `--uid-owner ${uid}`, loopback, dns, dns, add);
  for (const gid of options.proxyGids) ownerRules(options, `--gid-owner ${gid}`, loopback, false, dns, add);
  ownerGroupRules(options, add);
  if (dns) add(`-j ${Chain.outputDns}`);
  rules.push(...dnsNatRules(options, family));
  add(`-d ${loopback} -j RETURN`);
  for (const range of options.outboundRangesExcluded) if (range.family === family) add(`-d ${range.text} -j RETURN`);
  for (const port of options.outboundPorts) add(`-p tcp --dport ${port} -j ${Chain.redirect}`);
  if (options.outboundRanges === "*") add(`-j ${Chain.redirect}`);
  else for (const range of options.outboundRanges) if (range.family === family) add(`-d ${range.text} -j ${Chain.redirect}`);
  return rules;
}

function ownerRules(
  options: CaptureOptions,
  owner: string,
  loopback: string,
  sparesDns: boolean,
  dns: boolean,
  add: (spec: string) => unknown,
): void {
  // The sidecar's call to its own pod (by pod address, or a Service that picked it) goes in as any other caller's does.
  add(`-o lo ! -d ${loopback} -p tcp ${sparesDns ? "! --dport 53 " : ""}-m owner ${owner} -j ${Chain.inRedirect}`);
  const capturesLoopback = options.outboundRanges !== "*" && options.outboundRanges.some(isLoopbackCidr);
  if (!capturesLoopback) add(`-o lo ${dns ? "-p tcp ! --dport 53 " : ""}-m owner ! ${owner} -j RETURN`);
  add(`-m owner ${owner} -j RETURN`);
}

function ownerGroupRules(options: CaptureOptions, add: (spec: string) => unknown): void {
  if (options.ownerGroups.length > 0) add(`${options.ownerGroups.map((gid) => `-m owner ! --gid-owner ${gid}`).join(" ")} -j RETURN`);
  for (const gid of options.ownerGroupsExcluded) add(`-m owner --gid-owner ${gid} -j RETURN`);
}

function virtualInterfaceRules(options: CaptureOptions, family: Family): readonly Rule[] {
  const ranges =
    options.outboundRanges === "*"
      ? [""]
      : options.outboundRanges.filter((range) => range.family === family).map((range) => `-d ${range.text} `);
  return ranges.flatMap((range) =>
    options.virtualInterfaces.map((name): Rule => ({ chain: "PREROUTING", spec: `-i ${name} ${range}-j ${Chain.redirect}`, first: true })),
  );
}
