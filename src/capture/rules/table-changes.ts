// From what stands in a table to what shall stand there, as one iptables-restore block: pure. A block is applied whole
// or not at all, so a running pod is never without its rules while they are replaced.
import type { SavedTable } from "./saved-rules.ts";
import { tableBlock } from "./table-rules.ts";
import type { TableName, TableRules } from "./table-rules.ts";

function removals(saved: SavedTable | undefined): readonly string[] {
  return (saved?.hooks ?? []).map((hook) => `-D ${hook.chain} ${hook.spec}`);
}

function staleChains(saved: SavedTable | undefined, kept: readonly string[]): readonly string[] {
  const stale = [...(saved?.own.keys() ?? [])].filter((chain) => !kept.includes(chain));
  // Emptied first: chains of ours refer to each other.
  return [...stale.map((chain) => `-F ${chain}`), ...stale.map((chain) => `-X ${chain}`)];
}

/** Puts the wanted rules in the place of whatever is ours there. */
export function replaceBlock(saved: SavedTable | undefined, wanted: TableRules): string {
  const lines = wanted.rules.map((rule) => (rule.first === true ? `-I ${rule.chain} 1 ${rule.spec}` : `-A ${rule.chain} ${rule.spec}`));
  return tableBlock(wanted.table, wanted.chains, [...lines, ...staleChains(saved, wanted.chains)], removals(saved));
}

/** Takes away whatever is ours; undefined when nothing is. */
export function removeBlock(saved: SavedTable): string | undefined {
  const lines = [...removals(saved), ...staleChains(saved, [])];
  return lines.length === 0 ? undefined : tableBlock(saved.table as TableName, [], lines);
}

/** Brings a table back from `now` to what it was `before` (undefined: it had nothing of ours). */
export function revertBlock(before: SavedTable | undefined, now: SavedTable): string | undefined {
  if (before === undefined || (before.own.size === 0 && before.hooks.length === 0)) return removeBlock(now);
  const chains = [...before.own.keys()];
  const lines = [...before.own].flatMap(([chain, rules]) => rules.map((spec) => `-A ${chain} ${spec}`));
  // In rising position: each is put where it stood when those above it are in place.
  const hooks = before.hooks.map((hook) => `-I ${hook.chain} ${hook.position} ${hook.spec}`);
  return tableBlock(before.table as TableName, chains, [...lines, ...hooks, ...staleChains(now, chains)], removals(now));
}
