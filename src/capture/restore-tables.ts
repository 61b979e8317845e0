// Runs iptables-restore (or its IPv6 twin) of a backend on a text of table blocks.
import { runTool, toolPath } from "./iptables-backend.ts";
import type { Backend, ToolResult } from "./iptables-backend.ts";
import type { Family } from "./rules/table-rules.ts";

export function restoreProgram(backend: Backend, family: Family): string {
  return `${family === "ipv4" ? backend.program : backend.program.replace("iptables", "ip6tables")}-restore`;
}

/** Applies the blocks one after another, each whole or not at all; `--noflush`: only the named chains change. */
export async function restore(backend: Backend, family: Family, input: string, path: string | undefined): Promise<ToolResult> {
  const file = toolPath(backend, family, "restore", path);
  if (file === undefined) return { ok: false, stdout: "", stderr: `${restoreProgram(backend, family)} is not installed` };
  // Another program may hold legacy's lock for a moment; nf_tables has no lock.
  return runTool(file, backend.kind === "legacy" ? ["--noflush", "-w", "5"] : ["--noflush"], input);
}
