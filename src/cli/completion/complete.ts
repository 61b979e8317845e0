// What may stand at the end of a half-typed command line, from the same data that --help is made of. Pure: names that only
// a mesh, a kubeconfig or a disk knows are asked for, not looked up.
import type { Argument, Command, Flag } from "../command.ts";

export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What a placeholder of --help stands for, where its values can be listed. */
export type Lookup = "workload" | "namespace" | "context" | "mesh" | "file";

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Names to be looked up, and to be offered as `<prefix><name>`. */
  readonly lookup: Lookup | undefined;
  /** `--namespace=`, where that is part of the word; else empty. */
  readonly prefix: string;
  /** Names of the commands that were typed. */
  readonly path: readonly string[];
  /** Flags that were typed, as a command's options are keyed. */
  readonly options: Readonly<Record<string, unknown>>;
}

const LOOKUPS: Readonly<Record<string, Lookup>> = {
  ...{ workload: "workload", namespace: "namespace", context: "context", mesh: "mesh" },
  ...{ file: "file", path: "file", folder: "file", directory: "file", dir: "file", input: "file" },
};
const HELP: Flag = { flags: "-h, --help", description: "show this help" };

/** @param words what was typed after `meshctl`; the last one is to be completed, and may be empty. */
export function completeWords(commands: readonly Command[], words: readonly string[]): Completion {
  const line = readLine(commands, words.slice(0, -1));
  const word = words.at(-1) ?? "";
  const { path, options } = line;
  const answer = (found: Pick<Completion, "candidates" | "lookup">, prefix = ""): Completion => {
    const candidates = found.candidates.map((each) => ({ ...each, value: prefix + each.value }));
    return { path, options, prefix, lookup: found.lookup, candidates: candidates.filter(({ value }) => value.startsWith(word)) };
  };
  if (line.waiting !== undefined) return answer(valuesOf(line.waiting));
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  if (equals > 0) {
    const flag = line.flags.find((each) => namesOf(each).includes(word.slice(0, equals)));
    return answer(flag === undefined ? NOTHING : valuesOf(flag), word.slice(0, equals + 1));
  }
  if (word.startsWith("-") && !line.isPositional) return answer({ candidates: flagCandidates(line.flags), lookup: undefined });
  if (line.commands.length > 0) return answer({ candidates: line.commands.map(toCandidate), lookup: undefined });
  return answer(line.argument === undefined ? NOTHING : { candidates: [], lookup: lookupOf(line.argument.name) });
}

const NOTHING = { candidates: [], lookup: undefined };

interface Line {
  readonly path: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  /** Those that may come next. */
  readonly commands: readonly Command[];
  readonly flags: readonly Flag[];
  readonly argument: Argument | undefined;
  /** A flag whose value comes next. */
  readonly waiting: Flag | undefined;
  /** After `--`. */
  readonly isPositional: boolean;
}

function readLine(commands: readonly Command[], words: readonly string[]): Line {
  const path: string[] = [];
  const options: Record<string, unknown> = {};
  let command: Command | undefined;
  let next = commands;
  let given = 0;
  let waiting: Flag | undefined;
  let isPositional = false;
  for (const word of words) {
    if (waiting !== undefined) {
      options[keyOf(waiting)] = word;
      waiting = undefined;
    } else if (word === "--") isPositional = true;
    else if (word.startsWith("-") && !isPositional) {
      const [name, value] = word.split("=", 2) as [string, string | undefined];
      const flag = (command?.flags ?? []).find((each) => namesOf(each).includes(name));
      if (flag === undefined) continue;
      if (value === undefined && takesValue(flag)) waiting = flag;
      else options[keyOf(flag)] = value ?? true;
    } else {
      const found = given === 0 ? next.find((each) => each.name === word || each.aliases?.includes(word) === true) : undefined;
      if (found === undefined) given++;
      else {
        command = found;
        next = found.subcommands ?? [];
        path.push(found.name);
      }
    }
  }
  const visible = given > 0 ? [] : next.filter((each) => each.hidden !== true);
  const flags = [...(command?.flags ?? []).filter((each) => each.hidden !== true), HELP];
  return { path, options, commands: visible, flags, argument: argumentAt(command?.arguments ?? [], given), waiting, isPositional };
}

function argumentAt(all: readonly Argument[], index: number): Argument | undefined {
  const last = all.at(-1);
  return all[index] ?? (last?.name.includes("...") === true ? last : undefined);
}

function valuesOf(flag: Flag): Pick<Completion, "candidates" | "lookup"> {
  const words = flag.choices ?? flag.suggestions ?? [];
  return { candidates: words.map((value) => ({ value, description: "" })), lookup: lookupOf(flag.flags) };
}

/** By the word between brackets, as in `--kubeconfig <file>` and `[workload]`. */
function lookupOf(text: string): Lookup | undefined {
  const placeholder = /[<[](?<name>[\w-]+?)s?(\.\.\.)?[>\]]/.exec(text)?.groups?.["name"];
  return placeholder === undefined ? undefined : LOOKUPS[placeholder];
}

function toCandidate({ name, summary }: Command): Candidate {
  return { value: name, description: summary };
}

function flagCandidates(flags: readonly Flag[]): Candidate[] {
  return flags.flatMap((flag) => namesOf(flag).map((value) => ({ value, description: flag.description })));
}

function namesOf({ flags }: Flag): string[] {
  return [...flags.matchAll(/(?:^|[ ,])(--?[A-Za-z][\w-]*)/g)].map(([, name]) => name!);
}

function takesValue({ flags }: Flag): boolean {
  return flags.includes("<");
}

/** As commander does: by the last name. */
function keyOf(flag: Flag): string {
  const name = namesOf(flag).at(-1) ?? "";
  return name.replace(/^-+/, "").replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
