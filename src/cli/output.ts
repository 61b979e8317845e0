// -o json|yaml|…: what a program reads instead of the table. JSON is indented by four, as istioctl prints it.
import { dumpYaml } from "../common/yaml.ts";
import type { CommandContext } from "./command.ts";

/** Writes `value` as the chosen format; false when the form for people was asked for, and nothing was written. */
export function writeStructured(context: CommandContext, value: unknown): boolean {
  const format = context.options["output"];
  if (format === "json") context.stdout.write(`${JSON.stringify(value, undefined, 4)}\n`);
  else if (format === "yaml") context.stdout.write(dumpYaml(value));
  else return false;
  return true;
}

/** Does the command write for a program (json, yaml)? Then nothing else may reach standard output. */
export function isStructured(context: CommandContext): boolean {
  return context.options["output"] === "json" || context.options["output"] === "yaml";
}

/** Columns of the terminal that standard output is; undefined where it is none, and tables keep their full width. */
export function terminalWidth(context: CommandContext): number | undefined {
  const { isTTY, columns } = context.stdout as { isTTY?: boolean; columns?: number };
  return isTTY === true ? columns : undefined;
}
