import { readdirSync } from "node:fs";
import type { CommandContext } from "../../cli/command.ts";
import { startProgress } from "../../cli/progress.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { checkMeshName, endMesh } from "../../local/mesh-lifetime.ts";
import { runFoldersRoot } from "../../local/run-folder.ts";

const GRACE_MS = 10_000;

export async function run(context: CommandContext): Promise<void> {
  const names = chooseMeshes(context);
  for (const name of names) {
    const progress = await startProgress(context.stderr, `stopping mesh ${name}`, { quiet: true });
    try {
      await endMesh(name, GRACE_MS);
    } finally {
      progress.stop();
    }
    context.stdout.write(`mesh ${name} is down\n`);
  }
}

/** Dead ones too: their remains are what `down` is for. */
function chooseMeshes(context: CommandContext): string[] {
  const folders = listFolders();
  const { name, all } = context.options;
  if (all === true && name !== undefined) throw new UserError("--all and --name exclude each other", undefined, USAGE_EXIT_CODE);
  if (all === true) return folders;
  if (typeof name === "string") {
    checkMeshName(name);
    if (!folders.includes(name))
      throw new UserError(`no local mesh named ${name}`, folders.length === 0 ? undefined : `there is ${folders.join(", ")}`);
    return [name];
  }
  if (folders.length === 0) throw new UserError("no local mesh is running");
  if (folders.length > 1)
    throw new UserError("several local meshes are running", `choose one with --name, or take --all: ${folders.join(", ")}`);
  return folders;
}

function listFolders(): string[] {
  try {
    return readdirSync(runFoldersRoot())
      .filter((name) => !name.startsWith(".") && !name.includes(".dead."))
      .sort();
  } catch {
    return [];
  }
}
