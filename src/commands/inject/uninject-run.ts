// Reads manifests, takes out what was injected, prints.
import type { CommandContext } from "../../cli/command.ts";
import { uninjectFile } from "../../manifests/inject/uninject-file.ts";
import { readManifests } from "./read-manifests.ts";
import { writeManifests } from "./write-manifests.ts";

export async function run(context: CommandContext): Promise<void> {
  const files = await readManifests(context);
  writeManifests(context, files.map(uninjectFile), "uninjected");
}
