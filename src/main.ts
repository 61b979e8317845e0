// argv → command → exit code. The one place where an error becomes a message for a person.
import { Command as Program, CommanderError, Option } from "commander";
import type { Command, Flag } from "./cli/command.ts";
import { HELP_LAYOUT, usageErrorText } from "./cli/help-text.ts";
import { COMMANDS } from "./commands/index.ts";
import { describeFileError } from "./common/file-error.ts";
import { USAGE_EXIT_CODE, UserError, userErrorText } from "./common/user-error.ts";
import { VERSION } from "./common/version.ts";

function toOption(flag: Flag): Option {
  const option = new Option(flag.flags, flag.description);
  if (flag.default !== undefined) option.default(flag.default, flag.defaultText);
  if (flag.choices !== undefined) option.choices(flag.choices);
  if (flag.env !== undefined) option.env(flag.env);
  if (flag.parse !== undefined) option.argParser(flag.parse);
  if (flag.required === true) option.makeOptionMandatory();
  if (flag.hidden === true) option.hideHelp();
  return option;
}

/** commander hands none of this down to programs that it has not made. */
function prepare(program: Program): void {
  program.exitOverride().showSuggestionAfterError().helpOption("-h, --help", "show this help").configureHelp(HELP_LAYOUT);
  program.configureOutput({ outputError: (text, write) => write(usageErrorText(text, program)) });
}

function toProgram(command: Command, setExitCode: (code: number) => void): Program {
  const program = new Program(command.name);
  prepare(program);
  program.summary(command.summary).description(command.description ?? command.summary);
  if (command.aliases !== undefined) program.aliases(command.aliases);
  // commander asks for this before a subcommand that passes options through is added.
  if (command.subcommands !== undefined) program.enablePositionalOptions();
  for (const argument of command.arguments ?? []) program.argument(argument.name, argument.description);
  for (const flag of command.flags ?? []) program.addOption(toOption(flag));
  for (const sub of command.subcommands ?? []) program.addCommand(toProgram(sub, setExitCode), { hidden: sub.hidden === true });
  if (command.passThroughOptions === true) program.passThroughOptions();
  if (command.examples !== undefined) {
    program.addHelpText("after", `\nExamples:\n${command.examples.map((each) => `  ${each}`).join("\n")}`);
  }
  const load = command.load;
  if (load !== undefined) {
    program.action(async () => {
      const run = await load();
      const code = await run({
        args: program.args,
        options: program.opts(),
        stdout: process.stdout,
        stderr: process.stderr,
        env: process.env,
      });
      if (typeof code === "number") setExitCode(code);
    });
  }
  return program;
}

/** Runs one command line (without node and script) and resolves to its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Program("meshctl")
    .description("A service mesh in one program: mutual TLS, traffic control and insight for your services.")
    .version(VERSION, "--version", "print the version")
    .enablePositionalOptions()
    .addHelpText("after", "\nmeshctl <command> --help has the flags and examples of a command.");
  prepare(program);
  for (const group of COMMANDS) {
    program.commandsGroup(group.heading);
    for (const command of group.commands) {
      program.addCommand(
        toProgram(command, (code) => (exitCode = code)),
        { hidden: command.hidden === true },
      );
    }
  }
  if (argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // commander has printed its message already; help and version are not errors.
    return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
  }
  if (error instanceof UserError) {
    process.stderr.write(userErrorText(error));
    return error.exitCode;
  }
  process.stderr.write(`meshctl: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.stderr.write("  this is a bug in meshctl; please report it with the line above\n");
  return 70;
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // `meshctl … | head`: the reader has left, which is no error of ours.
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`meshctl: can't write to standard output: ${describeFileError(error)}\n`);
  process.exit(1);
});
// Nobody can be told of it, and what standard output was asked for is still wanted.
process.stderr.on("error", () => {});

process.exitCode = await main(process.argv.slice(2));
