// The rules as text, one golden file per set of options. UPDATE_GOLDEN=1 writes them anew: read the difference against
// docs/init.md before committing it.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { readCaptureOptions } from "../../../../src/capture/capture-options.ts";
import { dryRunText, familyRules } from "../../../../src/capture/rules/rules.ts";
import { CHAIN_PREFIX } from "../../../../src/capture/rules/table-rules.ts";
import { captureFlags, HOST_FILES } from "../../../support/capture-flags.ts";

const GOLDEN = resolve(import.meta.dirname, "../../../golden/capture");

const CASES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  defaults: {},
  "nothing-inbound": { istioInboundPorts: "" },
  "inbound-ports": { istioInboundPorts: "32000,31000" },
  "nothing-outbound": { istioServiceCidr: "" },
  "outbound-ranges": { istioServiceCidr: "10.0.0.0/8,fd00::/8,172.16.1.9/12" },
  "outbound-ranges-excluded": { istioServiceExcludeCidr: "1.1.1.1/32,10.96.0.0/12,2001:db8::/32" },
  "outbound-ports": { istioServiceCidr: "", istioOutboundPorts: "32000,31000" },
  "outbound-ports-excluded": { istioLocalOutboundPortsExclude: "22,25" },
  "loopback-range": { istioServiceCidr: "127.1.2.3/32" },
  "loopback-range-ipv6": { istioServiceCidr: "::1/128" },
  owners: { proxyUid: "3,4", proxyGid: "1,2" },
  "owner-names": { proxyUid: "proxy", proxyGid: "staff" },
  "owner-groups": { outboundOwnerGroups: "staff,202" },
  "owner-groups-excluded": { outboundOwnerGroupsExclude: "888,staff" },
  "ports-of-the-sidecar": { envoyPort: "4140", inboundCapturePort: "4143" },
  "loopback-cidr": { outboundIpv4LoopbackCidr: "127.0.0.1/8" },
  "excluded-interfaces": { istioExcludeInterfaces: "eth1,tun+" },
  "virtual-interfaces": { kubeVirtInterfaces: "eth1,eth2" },
  "virtual-interfaces-ranges": { kubeVirtInterfaces: "eth1,eth2", istioServiceCidr: "10.0.0.0/8,192.168.0.0/16", istioInboundPorts: "" },
  dns: { redirectDns: true },
  "dns-every-server": { redirectDns: true, captureAllDns: true, proxyUid: "3,4", proxyGid: "1,2" },
  "dns-loopback-range": { redirectDns: true, istioServiceCidr: "127.1.2.3/32" },
  "drop-invalid": { dropInvalid: true },
  everything: {
    redirectDns: true,
    captureAllDns: true,
    dropInvalid: true,
    istioLocalOutboundPortsExclude: "22",
    istioOutboundPorts: "8443",
    istioServiceExcludeCidr: "10.1.0.0/16",
    istioServiceCidr: "10.0.0.0/8,fd00::/8",
    istioExcludeInterfaces: "eth9",
    kubeVirtInterfaces: "vnet0",
    outboundOwnerGroups: "202",
  },
};

describe("rules of capture", () => {
  for (const [name, flags] of Object.entries(CASES)) {
    const options = readCaptureOptions(captureFlags(flags), HOST_FILES);
    const families = [familyRules(options, "ipv4"), familyRules(options, "ipv6")];

    test(`are those of the golden file for ${name}`, () => {
      const text = dryRunText(families);
      const file = join(GOLDEN, `${name}.rules`);
      if (process.env.UPDATE_GOLDEN === "1") {
        mkdirSync(GOLDEN, { recursive: true });
        writeFileSync(file, text);
      }
      assert.equal(text, readFileSync(file, "utf8"));
    });

    test(`add only jumps to our own chains to the built-in ones for ${name}`, () => {
      for (const { tables } of families) {
        for (const { chains, rules } of tables) {
          for (const rule of rules) {
            const jump = / ?-j (\S+)/.exec(rule.spec)?.[1] ?? "";
            if (rule.chain.startsWith(CHAIN_PREFIX)) assert.ok(chains.includes(rule.chain), `${rule.chain} is declared`);
            else assert.ok(chains.includes(jump), `${rule.chain} jumps to a chain of ours, not ${jump}`);
            if (jump.startsWith(CHAIN_PREFIX)) assert.ok(chains.includes(jump), `${jump} is declared`);
          }
        }
      }
    });

    test(`keep each family's addresses to itself for ${name}`, () => {
      for (const { family, tables } of families) {
        for (const rule of tables.flatMap((table) => table.rules)) {
          const address = /-[sd] (\S+)/.exec(rule.spec)?.[1];
          if (address !== undefined) assert.equal(address.includes(":"), family === "ipv6", rule.spec);
        }
      }
    });
  }
});
