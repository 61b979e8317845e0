// Why a connection of --verify did not arrive: reads the rules again and names the first thing that is wrong with them.
import type { CaptureOptions } from "../capture-options.ts";
import { allTables, readBackends } from "../iptables-backend.ts";
import type { BackendState } from "../iptables-backend.ts";
import type { Endpoint } from "./native-calls.ts";
import { familyRules } from "../rules/rules.ts";
import { compareFamily, hasOwn } from "../rules/saved-rules.ts";
import type { Family } from "../rules/table-rules.ts";

export interface Explanation {
  readonly message: string;
  readonly hint: string;
}

export interface Miss {
  readonly options: CaptureOptions;
  readonly family: Family;
  /** `IPv4 outbound` and the like. */
  readonly what: string;
  readonly target: Endpoint;
  readonly sidecarPort: number;
  /** The connection's error, if it had one. */
  readonly code: string | undefined;
  readonly path: string | undefined;
}

const OUTCOME: Readonly<Record<string, string>> = {
  ECONNREFUSED: "was refused",
  ENETUNREACH: "found no route",
  EHOSTUNREACH: "found no route",
  EACCES: "was forbidden by a rule",
  EPERM: "was forbidden by a rule",
};

export async function explainMiss(miss: Miss): Promise<Explanation> {
  const outcome = miss.code === undefined ? "did not arrive there in time" : (OUTCOME[miss.code] ?? `failed with ${miss.code}`);
  const message = `${miss.what}: a connection to port ${miss.target.port} of ${miss.target.address} should have been redirected to port ${miss.sidecarPort}, but ${outcome}`;
  const states = await readBackends(miss.path);
  const cause = findCause(miss, states);
  return { message: `${message}: ${cause.message}`, hint: cause.hint };
}

/** What is wrong with the rules as they can be read; undefined when they are as the options make them. */
export async function misreadRules(options: CaptureOptions, family: Family, path: string | undefined): Promise<Explanation | undefined> {
  const states = await readBackends(path);
  return misplaced(options, family, states);
}

function misplaced(options: CaptureOptions, family: Family, states: readonly BackendState[]): Explanation | undefined {
  const holders = states.filter((state) => state.tables[family].some(hasOwn));
  const [holder, second] = holders;
  if (holder === undefined) {
    return { message: "no rules of meshctl are in this network namespace", hint: "apply them with the same options: meshctl init" };
  }
  if (second !== undefined) {
    return {
      message: "rules of meshctl stand both in iptables-nft and in iptables-legacy",
      hint: "meshctl init --cleanup; then meshctl init again",
    };
  }
  const comparison = [...compareFamily(holder.tables[family], familyRules(options, family))];
  const wrong = comparison.filter(([, state]) => state !== "same").map(([table]) => table);
  if (wrong.length > 0) {
    return { message: `the rules in ${wrong.join(", ")} are others than these options make`, hint: "put them right with --reconcile" };
  }
  return undefined;
}

function findCause({ options, family }: Miss, states: readonly BackendState[]): Explanation {
  const wrong = misplaced(options, family, states);
  if (wrong !== undefined) return wrong;
  const holder = states.find((state) => state.tables[family].some(hasOwn));
  const other = states.find((state) => state !== holder && allTables(state).some((table) => table.hasOthers));
  if (holder !== undefined && other !== undefined) {
    return {
      message: `meshctl's rules are in iptables-${holder.backend.kind}, and other rules in iptables-${other.backend.kind} decide first`,
      hint: `use one of the two for everything here: remove the rules that iptables-${other.backend.kind}-save shows, or meshctl's with --cleanup`,
    };
  }
  const nat = holder?.tables[family].find((table) => table.table === "nat");
  const late = nat?.hooks.find((hook) => hook.position > 1 && nat.hasOthers);
  if (late !== undefined) {
    return {
      message: `rules above meshctl's in nat ${late.chain} decide first`,
      hint: "meshctl init --cleanup; remove them; meshctl init again",
    };
  }
  if (holder?.tables[family].some((table) => table.table === "filter" && table.hasOthers) === true) {
    return {
      message: "the rules are right, so a rule of the filter table may drop it",
      hint: "see: iptables -S; ip6tables -S; nft list ruleset",
    };
  }
  return {
    message: "the rules are right, so the kernel does not carry them out",
    hint: "the node may lack modules (nf_nat, xt_REDIRECT, xt_owner), or rules made with nft itself decide first: nft list ruleset",
  };
}
