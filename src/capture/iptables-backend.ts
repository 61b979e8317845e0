// The machine's iptables programs: which there are (nf_tables and legacy, two rule sets that the kernel keeps apart),
// how they are run, and which of them the rules go to.
import { execFile } from "node:child_process";
import { accessSync, constants, realpathSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../common/user-error.ts";
import { explainFailure, isForbidden } from "./diagnosis.ts";
import { hasOwn, parseSave } from "./rules/saved-rules.ts";
import type { SavedTable } from "./rules/saved-rules.ts";
import type { Family } from "./rules/table-rules.ts";

export type BackendKind = "nft" | "legacy";

export interface Backend {
  readonly kind: BackendKind;
  /** `iptables-nft`, or `iptables` where no other name exists; IPv6's is the same with `ip6`. */
  readonly program: string;
}

export interface ToolResult {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

// Containers often leave these out of PATH.
const EXTRA_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
const TOOL_TIMEOUT_MS = 10_000;

export function findProgram(name: string, path: string | undefined): string | undefined {
  for (const folder of [...(path ?? "").split(":").filter((each) => each !== ""), ...EXTRA_FOLDERS]) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}

export function runTool(file: string, args: readonly string[], input = ""): Promise<ToolResult> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      { timeout: TOOL_TIMEOUT_MS, maxBuffer: 64 << 20, encoding: "utf8" },
      (error, stdout, stderr) => {
        resolve({ ok: error === null, stdout, stderr: stderr === "" && error !== null ? error.message : stderr });
      },
    );
    // A program that fails early closes its input: its exit code tells, not EPIPE.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

/** The backends installed here, the one that plain `iptables` stands for first. Throws when there is none. */
export function installedBackends(path: string | undefined): readonly Backend[] {
  const plain = findProgram("iptables", path);
  const plainKind: BackendKind = plain !== undefined && realpathSync(plain).includes("legacy") ? "legacy" : "nft";
  const found: Backend[] = [];
  for (const kind of plainKind === "legacy" ? (["legacy", "nft"] as const) : (["nft", "legacy"] as const)) {
    if (findProgram(`iptables-${kind}-restore`, path) !== undefined) found.push({ kind, program: `iptables-${kind}` });
    else if (plain !== undefined && kind === plainKind && findProgram("iptables-restore", path) !== undefined)
      found.push({ kind, program: "iptables" });
  }
  if (found.length === 0) {
    throw new UserError("the program iptables-restore is not installed", "apt-get install -y iptables iproute2");
  }
  return found;
}

/** The path of a backend's `save` or `restore` program for a family; undefined when that one is not installed. */
export function toolPath(backend: Backend, family: Family, action: "save" | "restore", path: string | undefined): string | undefined {
  const program = family === "ipv4" ? backend.program : backend.program.replace("iptables", "ip6tables");
  return findProgram(`${program}-${action}`, path);
}

/** Everything that one backend holds. A family that can't be read has no tables and says why. */
export interface BackendState {
  readonly backend: Backend;
  readonly tables: Readonly<Record<Family, readonly SavedTable[]>>;
  readonly problems: Readonly<Partial<Record<Family, string>>>;
}

export async function readBackend(backend: Backend, path: string | undefined): Promise<BackendState> {
  const read = async (family: Family): Promise<{ tables: readonly SavedTable[]; problem: string | undefined }> => {
    const file = toolPath(backend, family, "save", path);
    if (file === undefined) return { tables: [], problem: `${backend.program} has no save program for ${family}` };
    const result = await runTool(file, []);
    return { tables: parseSave(result.stdout), problem: result.ok ? undefined : result.stderr.trim() };
  };
  const [v4, v6] = await Promise.all([read("ipv4"), read("ipv6")]);
  return {
    backend,
    tables: { ipv4: v4.tables, ipv6: v6.tables },
    problems: { ...(v4.problem === undefined ? {} : { ipv4: v4.problem }), ...(v6.problem === undefined ? {} : { ipv6: v6.problem }) },
  };
}

/** Reads every installed backend. Throws when one holds rules that this process may not see. */
export async function readBackends(path: string | undefined): Promise<readonly BackendState[]> {
  const states = await Promise.all(installedBackends(path).map((backend) => readBackend(backend, path)));
  for (const { backend, problems } of states) {
    const forbidden = Object.values(problems).find(isForbidden);
    if (forbidden !== undefined) throw explainFailure(`${backend.program}-save`, forbidden);
  }
  return states;
}

export function allTables(state: BackendState): readonly SavedTable[] {
  return [...state.tables.ipv4, ...state.tables.ipv6];
}

function canBeRead(state: BackendState): boolean {
  return state.problems.ipv4 === undefined;
}

/**
 * The backends to try, best first: where our rules stand already; else where somebody's rules stand (nf_tables before
 * legacy); else the machine's default, then the other. Ours in both is an error: each connection would pass twice.
 */
export function backendOrder(states: readonly BackendState[]): readonly BackendState[] {
  const withOwn = states.filter((state) => allTables(state).some(hasOwn));
  if (withOwn.length > 1) {
    throw new UserError(
      "rules of meshctl stand both in iptables-nft and in iptables-legacy of this network namespace",
      "remove both with: meshctl init --cleanup; then run meshctl init again",
    );
  }
  if (withOwn.length === 1) return withOwn;
  const rank = (state: BackendState): number => {
    if (allTables(state).some((table) => table.hasOthers)) return state.backend.kind === "nft" ? 0 : 1;
    return canBeRead(state) ? 2 : 3;
  };
  return [...states].sort((a, b) => rank(a) - rank(b));
}
