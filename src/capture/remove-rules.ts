// Cleanup: takes away everything of ours, from both backends and both families, whatever part of it is there.
import { UserError } from "../common/user-error.ts";
import { restore } from "./restore-tables.ts";
import { allTables, findProgram, readBackend, readBackends, runTool } from "./iptables-backend.ts";
import type { Backend, BackendState } from "./iptables-backend.ts";
import { removePassthroughAddress } from "./pod-addresses.ts";
import { foreignMesh, hasOwn } from "./rules/saved-rules.ts";
import { removeBlock } from "./rules/table-changes.ts";
import type { Family, TableName } from "./rules/table-rules.ts";

export interface Removal {
  readonly backend: Backend;
  readonly family: Family;
  readonly table: TableName;
  readonly block: string;
}

/** What there is to take away, table by table. */
export async function planRemoval(
  path: string | undefined,
): Promise<{ readonly states: readonly BackendState[]; readonly removals: readonly Removal[] }> {
  const states = await readBackends(path);
  const removals = states.flatMap((state) =>
    (["ipv4", "ipv6"] as const).flatMap((family) =>
      state.tables[family].filter(hasOwn).flatMap((saved): readonly Removal[] => {
        const block = removeBlock(saved);
        return block === undefined ? [] : [{ backend: state.backend, family, table: saved.table as TableName, block }];
      }),
    ),
  );
  return { states, removals };
}

/** Resolves to whether anything was there. A table that fails doesn't keep the others; the failure is thrown at the end. */
export async function removeRules(path: string | undefined): Promise<boolean> {
  const { states, removals } = await planRemoval(path);
  const failures: string[] = [];
  for (const removal of removals) {
    const result = await restore(removal.backend, removal.family, removal.block, path);
    if (!result.ok) failures.push(`${removal.backend.program} ${removal.family} ${removal.table}: ${result.stderr.trim()}`);
    else await dropEmptyTables(removal.backend, [removal], path);
  }
  // ::6 is Istio's too: while Istio's rules stand, it stays.
  const foreign = states.some((state) =>
    allTables(state).some((table) => table.otherChains.some((chain) => foreignMesh(chain) !== undefined)),
  );
  const moved = foreign ? false : await removePassthroughAddress(path);
  if (failures.length > 0) {
    throw new UserError(
      `not all rules could be removed: ${failures.join("; ")}`,
      "if rules of yours jump to chains of meshctl, remove those first",
    );
  }
  return removals.length > 0 || moved;
}

/**
 * Deletes those of the named tables in which nothing is left. iptables-nft makes tables when it first needs them and has
 * no way to unmake one (1.8.9); an empty one does nothing, so without the nft program it just stays.
 */
export async function dropEmptyTables(
  backend: Backend,
  touched: readonly { readonly family: Family; readonly table: TableName }[],
  path: string | undefined,
): Promise<void> {
  const nft = backend.kind === "nft" ? findProgram("nft", path) : undefined;
  if (nft === undefined) return;
  const now = await readBackend(backend, path);
  for (const { family, table } of touched) {
    const saved = now.tables[family].find((each) => each.table === table);
    if (saved === undefined || hasOwn(saved) || saved.hasOthers || saved.otherChains.length > 0) continue;
    await runTool(nft, ["delete", "table", family === "ipv4" ? "ip" : "ip6", table]);
  }
}
