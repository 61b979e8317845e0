// The text of iptables-save → what there is of ours in each table, and whose else's chains stand there. The comparison
// is by meaning: iptables-save reorders matches and names modules differently from version to version.
import { toCidr } from "../option-values.ts";
import { CHAIN_PREFIX } from "./table-rules.ts";
import type { FamilyRules, TableName, TableRules } from "./table-rules.ts";

/** A jump to a chain of ours from a chain that isn't. */
export interface Hook {
  readonly chain: string;
  /** Place in its chain, from 1. */
  readonly position: number;
  readonly spec: string;
}

/** One table as iptables-save printed it. */
export interface SavedTable {
  readonly table: string;
  /** Chains of ours, in the order of the text, with their rules. */
  readonly own: ReadonlyMap<string, readonly string[]>;
  readonly hooks: readonly Hook[];
  /** User-defined chains that aren't ours. */
  readonly otherChains: readonly string[];
  /** Whether anything but our own stands here: chains, rules, policies other than ACCEPT. */
  readonly hasOthers: boolean;
}

const JUMP = /(?:^| )(?:-j|-g) (\S+)/;

export function parseSave(text: string): readonly SavedTable[] {
  return text
    .split(/^\*/m)
    .slice(1)
    .map((block) => {
      const [table = "", ...lines] = block.split("\n");
      return parseTable(table.trim(), lines);
    });
}

function parseTable(table: string, lines: readonly string[]): SavedTable {
  const own = new Map<string, string[]>();
  const hooks: Hook[] = [];
  const otherChains: string[] = [];
  const lengths = new Map<string, number>();
  let hasOthers = false;
  for (const line of lines) {
    const declared = /^:(\S+) (\S+)/.exec(line);
    if (declared !== null) {
      const [, chain = "", policy] = declared;
      if (chain.startsWith(CHAIN_PREFIX)) own.set(chain, []);
      else if (policy === "-") otherChains.push(chain);
      if (!chain.startsWith(CHAIN_PREFIX) && policy !== "ACCEPT") hasOthers = true;
      continue;
    }
    const rule = /^-A (\S+) ?(.*)$/.exec(line);
    if (rule === null) continue;
    const [, chain = "", spec = ""] = rule;
    const position = (lengths.get(chain) ?? 0) + 1;
    lengths.set(chain, position);
    if (chain.startsWith(CHAIN_PREFIX)) own.get(chain)?.push(spec);
    else if (JUMP.exec(spec)?.[1]?.startsWith(CHAIN_PREFIX) === true) hooks.push({ chain, position, spec });
    else hasOthers = true;
  }
  return { table, own, hooks, otherChains, hasOthers };
}

export function hasOwn(table: SavedTable): boolean {
  return table.own.size > 0 || table.hooks.length > 0;
}

/** Which mesh a foreign chain belongs to, if it captures traffic as we do. */
export function foreignMesh(chain: string): string | undefined {
  if (chain.startsWith("ISTIO_")) return "Istio";
  if (chain.startsWith("PROXY_INIT_")) return "Linkerd";
  return undefined;
}

const SYNONYM: Readonly<Record<string, string>> = {
  "--to-port": "--to-ports",
  "--source": "-s",
  "--destination": "-d",
  "--protocol": "-p",
  "--destination-port": "--dport",
  "--source-port": "--sport",
};

/** A rule as a text that is equal for rules that mean the same: matches sorted, modules dropped, addresses with a length. */
export function canonicalRule(spec: string): string {
  const words = spec.trim().split(/\s+/);
  const matches: string[] = [];
  for (let at = 0; at < words.length;) {
    let match = "";
    if (words[at] === "!") {
      match = "! ";
      at++;
    }
    const flag = SYNONYM[words[at] ?? ""] ?? words[at] ?? "";
    const values: string[] = [];
    for (at++; at < words.length && words[at] !== "!" && !(words[at] ?? "").startsWith("-"); at++) values.push(words[at] ?? "");
    // What a module matches says which module it is.
    if (flag === "-m" || flag === "--match") continue;
    match += [flag, ...values.map((value) => (flag === "-s" || flag === "-d" ? canonicalAddress(value) : value))].join(" ");
    matches.push(match);
  }
  return matches.sort().join(" ");
}

function canonicalAddress(value: string): string {
  if (value.includes("/")) return toCidr(value)?.text ?? value;
  return toCidr(`${value}/${value.includes(":") ? 128 : 32}`)?.text ?? value;
}

/** The wanted table as `{chain: canonical rules}`, hooks under their built-in chain, in the order in which they will stand. */
function wantedShape(wanted: TableRules): Map<string, string[]> {
  const shape = new Map<string, string[]>(wanted.chains.map((chain) => [chain, []]));
  for (const rule of wanted.rules) {
    const list = shape.get(rule.chain) ?? [];
    if (rule.first === true) list.unshift(canonicalRule(rule.spec));
    else list.push(canonicalRule(rule.spec));
    shape.set(rule.chain, list);
  }
  return shape;
}

function savedShape(saved: SavedTable): Map<string, string[]> {
  const shape = new Map<string, string[]>();
  for (const [chain, rules] of saved.own) shape.set(chain, rules.map(canonicalRule));
  for (const hook of saved.hooks) shape.set(hook.chain, [...(shape.get(hook.chain) ?? []), canonicalRule(hook.spec)]);
  return shape;
}

function shapeKey(shape: ReadonlyMap<string, readonly string[]>): string {
  return JSON.stringify([...shape].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether our part of a table is the same in two readings of it. */
export function sameOwn(before: SavedTable | undefined, now: SavedTable): boolean {
  return shapeKey(before === undefined ? new Map() : savedShape(before)) === shapeKey(savedShape(now));
}

export type TableState = "absent" | "same" | "different";

/** How what stands in a table compares with what is wanted there; `wanted` undefined: nothing of ours. */
export function compareTable(saved: SavedTable | undefined, wanted: TableRules | undefined): TableState {
  if (saved === undefined || !hasOwn(saved)) return wanted === undefined ? "same" : "absent";
  if (wanted === undefined) return "different";
  return shapeKey(savedShape(saved)) === shapeKey(wantedShape(wanted)) ? "same" : "different";
}

const TABLES: readonly TableName[] = ["raw", "mangle", "nat"];

/** The comparison for every table in which we could have something, in the order of application. */
export function compareFamily(saved: readonly SavedTable[], wanted: FamilyRules | undefined): ReadonlyMap<TableName, TableState> {
  return new Map(
    TABLES.map((table) => [
      table,
      compareTable(
        saved.find((each) => each.table === table),
        wanted?.tables.find((each) => each.table === table),
      ),
    ]),
  );
}
