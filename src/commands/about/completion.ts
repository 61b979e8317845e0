// meshctl completion: scripts for shells; and, hidden, the command by which these ask what may come next.
import type { Command, CommandGroup } from "../../cli/command.ts";

const shell = (name: "bash" | "zsh" | "fish", load: string): Command => ({
  name,
  summary: `Print the completion script for ${name}`,
  examples: [load],
  load: () => import("./completion-run.ts").then((module) => module.printScript(name)),
});

export const completion: Command = {
  name: "completion",
  summary: "Print a script that completes commands, flags and names in your shell",
  description:
    "Prints a script that completes commands, flags and their values, and the names of workloads, namespaces, contexts and local " +
    "meshes, which it asks the mesh for as the other commands do. For one session, or in ~/.bashrc and ~/.zshrc (there after compinit): " +
    "source <(meshctl completion bash).",
  subcommands: [
    shell("bash", "meshctl completion bash > /etc/bash_completion.d/meshctl"),
    shell("zsh", 'meshctl completion zsh > "${fpath[1]}/_meshctl"'),
    shell("fish", "meshctl completion fish > ~/.config/fish/completions/meshctl.fish"),
  ],
};

/** @param groups all commands, which this one is among. */
export function completeCommand(groups: () => readonly CommandGroup[]): Command {
  return {
    name: "__complete",
    summary: "Print what may come next on a command line",
    hidden: true,
    arguments: [{ name: "[words...]", description: "what was typed after meshctl, after --; the last word is completed" }],
    passThroughOptions: true,
    load: () => import("./completion-run.ts").then((module) => module.answer(groups().flatMap((each) => each.commands))),
  };
}
