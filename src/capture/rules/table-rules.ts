// The form of the wanted rules: per table the chains that are ours and the rules in order, and how that is written for
// iptables-restore. Everything we add to a built-in chain is a jump to a chain of ours, so that cleanup finds it all.

export type Family = "ipv4" | "ipv6";
export type TableName = "raw" | "mangle" | "nat";

/** Every chain of ours starts so. */
export const CHAIN_PREFIX = "MESHCTL_";

export const Chain = {
  inbound: "MESHCTL_INBOUND",
  redirect: "MESHCTL_REDIRECT",
  inRedirect: "MESHCTL_IN_REDIRECT",
  output: "MESHCTL_OUTPUT",
  outputDns: "MESHCTL_OUTPUT_DNS",
  drop: "MESHCTL_DROP",
} as const;

export interface Rule {
  readonly chain: string;
  /** iptables' own notation, without `-A chain`. */
  readonly spec: string;
  /** Goes to the head of a built-in chain, above what is there and above earlier rules with `first`. */
  readonly first?: true;
}

export interface TableRules {
  readonly table: TableName;
  readonly chains: readonly string[];
  readonly rules: readonly Rule[];
}

export interface FamilyRules {
  readonly family: Family;
  readonly tables: readonly TableRules[];
}

function ruleLine(rule: Rule): string {
  return rule.first === true ? `-I ${rule.chain} 1 ${rule.spec}` : `-A ${rule.chain} ${rule.spec}`;
}

/**
 * One table's block for `iptables-restore --noflush`, which applies a block whole or not at all.
 * `removals` run first. A `:CHAIN` line makes a chain, or empties ours if it is there; other chains are left alone.
 */
export function tableBlock(
  table: TableName,
  chains: readonly string[],
  lines: readonly string[],
  removals: readonly string[] = [],
): string {
  return [`*${table}`, ...removals, ...chains.map((chain) => `:${chain} - [0:0]`), ...lines, "COMMIT", ""].join("\n");
}

/** What a namespace without rules of ours needs for this table. */
export function tableText(rules: TableRules): string {
  return tableBlock(rules.table, rules.chains, rules.rules.map(ruleLine));
}
