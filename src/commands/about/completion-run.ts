// The scripts of completion, and the answers to them: `value<TAB>description` lines, and a last line as cobra's directive,
// `:0` when names of files may come, too, and `:4` when not.
import type { Command, CommandContext, RunCommand } from "../../cli/command.ts";
import { completeWords } from "../../cli/completion/complete.ts";
import { BASH, FISH, ZSH } from "./completion-scripts.ts";

const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;

export function printScript(shell: keyof typeof SCRIPTS): RunCommand {
  return async ({ stdout }) => void stdout.write(SCRIPTS[shell]);
}

export function answer(commands: readonly Command[]): RunCommand {
  return async (context: CommandContext) => {
    const completion = completeWords(commands, context.args);
    const { lookup, prefix } = completion;
    const word = (context.args.at(-1) ?? "").slice(prefix.length);
    const found =
      lookup === undefined || lookup === "file"
        ? []
        : await (await import("../../cli/completion/look-up.ts")).lookUp(context, completion, word);
    const names = found.map((each) => ({ ...each, value: prefix + each.value })).filter(({ value }) => value.startsWith(prefix + word));
    const lines = [...completion.candidates, ...names].map(({ value, description }) => `${value}\t${description}\n`);
    context.stdout.write(`${lines.join("")}:${lookup === "file" ? 0 : 4}\n`);
  };
}
