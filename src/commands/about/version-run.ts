import type { CommandContext } from "../../cli/command.ts";
import { VERSION } from "../../common/version.ts";

export async function run(context: CommandContext): Promise<void> {
  const facts = { version: VERSION, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
  const format = context.options["output"];
  if (format === "json") {
    context.stdout.write(`${JSON.stringify(facts, null, 2)}\n`);
  } else if (format === "yaml") {
    context.stdout.write(
      Object.entries(facts)
        .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
        .join(""),
    );
  } else {
    context.stdout.write(`meshctl ${facts.version} (node ${facts.node}, ${facts.platform})\n`);
  }
}
