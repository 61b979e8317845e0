// Options → every rule of the namespace, per family and table: pure, the same for --dry-run, apply and comparison.
import { INBOUND_PASSTHROUGH_SOURCE_V6 } from "../../xds/names.ts";
import type { CaptureOptions } from "../capture-options.ts";
import { dnsRawRules } from "./dns-rules.ts";
import { natRules } from "./nat-rules.ts";
import { Chain, tableText } from "./table-rules.ts";
import type { Family, FamilyRules, TableRules } from "./table-rules.ts";

/** Tables in the order in which they are applied: nat last, so that no connection is redirected before its zones are set. */
export function familyRules(options: CaptureOptions, family: Family): FamilyRules {
  const tables = [dnsRawRules(options, family), options.dropInvalid ? dropInvalidRules() : undefined, natRules(options, family)];
  return { family, tables: tables.filter((each) => each !== undefined) };
}

function dropInvalidRules(): TableRules {
  return {
    table: "mangle",
    chains: [Chain.drop],
    rules: [
      { chain: "PREROUTING", spec: `-m conntrack --ctstate INVALID -j ${Chain.drop}` },
      { chain: Chain.drop, spec: "-j DROP" },
    ],
  };
}

/** What --dry-run prints: for each family the command and its input, as for a namespace without rules of ours. */
export function dryRunText(families: readonly FamilyRules[]): string {
  return families
    .map(({ family, tables }) => {
      const command = family === "ipv4" ? "iptables-restore --noflush" : "ip6tables-restore --noflush";
      const address = family === "ipv6" ? `# ip -6 addr add ${INBOUND_PASSTHROUGH_SOURCE_V6}/128 dev lo\n` : "";
      return `${address}# ${command}\n${tables.map(tableText).join("")}`;
    })
    .join("\n");
}
