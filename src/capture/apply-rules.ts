// Makes a network namespace have the wanted rules: reads what is there, changes only the tables that differ, and puts
// everything back when a later table or family fails.
import { UserError } from "../common/user-error.ts";
import { explainFailure } from "./diagnosis.ts";
import { allTables, backendOrder, readBackend, readBackends } from "./iptables-backend.ts";
import type { Backend, BackendState } from "./iptables-backend.ts";
import { addPassthroughAddress } from "./pod-addresses.ts";
import { dropEmptyTables } from "./remove-rules.ts";
import { restore, restoreProgram } from "./restore-tables.ts";
import { compareFamily, foreignMesh, sameOwn } from "./rules/saved-rules.ts";
import type { SavedTable } from "./rules/saved-rules.ts";
import { replaceBlock, revertBlock } from "./rules/table-changes.ts";
import type { Family, FamilyRules, TableName } from "./rules/table-rules.ts";

export interface ApplyRequest {
  readonly families: readonly FamilyRules[];
  /** Replace rules of ours that differ from the wanted ones, instead of refusing. */
  readonly reconcile: boolean;
  /** Write the rules also where they are right already. */
  readonly forceApply: boolean;
  /** PATH, to find the programs by. */
  readonly path: string | undefined;
}

export interface ApplyOutcome {
  readonly backend: Backend;
  readonly changed: boolean;
}

interface Change {
  readonly family: Family;
  readonly table: TableName;
  readonly block: string;
}

/** Throws UserError; the namespace is then as it was. */
export async function applyRules(request: ApplyRequest): Promise<ApplyOutcome> {
  const states = await readBackends(request.path);
  refuseForeignMesh(states);
  const failures: UserError[] = [];
  for (const state of backendOrder(states)) {
    const changes = planChanges(state, request);
    const failure = changes.length === 0 ? undefined : await applyChanges(state, changes, request.path);
    if (failure === undefined) return finish(state, changes, request);
    failures.push(failure);
    // Rules stand in this backend, ours or others': the same rules in the other one would not do the same.
    if (allTables(state).some((table) => table.hasOthers || table.own.size > 0)) break;
  }
  throw failures[0] ?? new UserError("no iptables program works here");
}

/** The address on lo comes last, as it is what other programs can see; when it fails, the rules go again. */
async function finish(before: BackendState, changes: readonly Change[], request: ApplyRequest): Promise<ApplyOutcome> {
  const wantsV6 = request.families.some((each) => each.family === "ipv6");
  try {
    const moved = wantsV6 ? await addPassthroughAddress(request.path) : false;
    return { backend: before.backend, changed: changes.length > 0 || moved };
  } catch (error) {
    throw error instanceof UserError ? await revertChanges(before, changes, error, request.path) : error;
  }
}

function refuseForeignMesh(states: readonly BackendState[]): void {
  const chains = states.flatMap((state) =>
    allTables(state).flatMap((table) => table.otherChains.map((chain) => `${table.table}/${chain}`)),
  );
  const foreign = [...new Set(chains)].filter((each) => foreignMesh(each.split("/")[1] ?? "") !== undefined);
  if (foreign.length === 0) return;
  const mesh = foreignMesh(foreign[0]?.split("/")[1] ?? "") ?? "another mesh";
  throw new UserError(
    `this network namespace is captured by ${mesh} already: chains ${foreign.join(", ")}`,
    `a pod can have one mesh: leave ${mesh}'s injection off for it (also its CNI plugin), or remove its rules first`,
  );
}

function planChanges(state: BackendState, request: ApplyRequest): readonly Change[] {
  const changes: Change[] = [];
  const differing: string[] = [];
  for (const family of ["ipv4", "ipv6"] as const) {
    const wanted = request.families.find((each) => each.family === family);
    for (const [table, comparison] of compareFamily(state.tables[family], wanted)) {
      if (comparison === "same" && !request.forceApply) continue;
      if (comparison === "different") differing.push(`${family === "ipv4" ? "IPv4" : "IPv6"} ${table}`);
      const saved = state.tables[family].find((each) => each.table === table);
      const rules = wanted?.tables.find((each) => each.table === table);
      const block = rules !== undefined ? replaceBlock(saved, rules) : saved === undefined ? undefined : revertBlock(undefined, saved);
      if (block !== undefined) changes.push({ family, table, block });
    }
  }
  if (differing.length > 0 && !request.reconcile && !request.forceApply) {
    throw new UserError(
      `this network namespace has other rules of meshctl than these options make (${differing.join(", ")})`,
      "replace them with --reconcile, or remove them with: meshctl init --cleanup",
    );
  }
  return changes;
}

/** Runs the blocks, one program run per family; resolves to what went wrong, after putting everything back. */
async function applyChanges(state: BackendState, changes: readonly Change[], path: string | undefined): Promise<UserError | undefined> {
  for (const family of ["ipv4", "ipv6"] as const) {
    const input = changes.filter((change) => change.family === family).map((change) => change.block);
    if (input.length === 0) continue;
    const result = await restore(state.backend, family, input.join(""), path);
    if (result.ok) continue;
    return revertChanges(state, changes, explainFailure(restoreProgram(state.backend, family), result.stderr), path);
  }
  return undefined;
}

/** Puts the changed tables back; resolves to `cause`, or to one that also says what could not be put back. */
async function revertChanges(
  before: BackendState,
  changes: readonly Change[],
  cause: UserError,
  path: string | undefined,
): Promise<UserError> {
  const now = await readBackend(before.backend, path);
  const problems: string[] = [];
  for (const { family, table } of changes) {
    const find = (state: BackendState): SavedTable | undefined => state.tables[family].find((each) => each.table === table);
    const [old, saved] = [find(before), find(now)];
    const block = saved === undefined || sameOwn(old, saved) ? undefined : revertBlock(old, saved);
    const result = block === undefined ? undefined : await restore(before.backend, family, block, path);
    if (result?.ok === false) problems.push(`${family} ${table}: ${result.stderr.trim()}`);
  }
  const made = changes.filter(({ family, table }) => !before.tables[family].some((each) => each.table === table));
  await dropEmptyTables(before.backend, made, path);
  if (problems.length === 0) return cause;
  return new UserError(
    `${cause.message}; and this could not be put back: ${problems.join("; ")}`,
    "remove what is left with: meshctl init --cleanup",
  );
}
