// A command is data: what --help prints and, behind a dynamic import, what it does. main.ts turns it into commander.

/** One option. `flags` is commander's notation: `-o, --output <format>`, `--no-color`, `--set <path=value...>`. */
export interface Flag {
  readonly flags: string;
  readonly description: string;
  readonly default?: unknown;
  /** How --help writes the default, where that is not the value: `1m` for 60000. */
  readonly defaultText?: string;
  readonly choices?: readonly string[];
  /** What completion offers, where others are taken, too. */
  readonly suggestions?: readonly string[];
  /** Environment variable that gives the value when the flag is absent. */
  readonly env?: string;
  /** Turns the text into a value; throws UserError on bad input. `previous` is the value so far, for repeated flags. */
  readonly parse?: (text: string, previous: unknown) => unknown;
  readonly required?: boolean;
  readonly hidden?: boolean;
}

export interface Argument {
  /** commander's notation: `<workload>`, `[name]`, `[files...]`. */
  readonly name: string;
  readonly description: string;
}

/** What a running command is given. Options are keyed in camelCase, as commander names them. */
export interface CommandContext {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Resolves to the exit code; nothing means 0. Throws UserError for what the user can mend. */
export type RunCommand = (context: CommandContext) => Promise<number | void>;

export interface Command {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly arguments?: readonly Argument[];
  readonly flags?: readonly Flag[];
  readonly examples?: readonly string[];
  readonly subcommands?: readonly Command[];
  /** Hands everything after the command's own options to `args` untouched, as `exec -- cmd --flag` needs. */
  readonly passThroughOptions?: boolean;
  readonly hidden?: boolean;
  /** Loads what runs: `() => import("./up-run.ts").then((m) => m.run)`. Absent for a pure group. */
  readonly load?: () => Promise<RunCommand>;
}

/** A heading of `meshctl --help`: what a person is doing. */
export interface CommandGroup {
  readonly heading: string;
  readonly commands: readonly Command[];
}
