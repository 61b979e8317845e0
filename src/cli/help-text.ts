// How --help and usage errors look: what commander prints, fitted to a terminal of 80 columns and to our own messages.
import { Help, type Command as Program, type HelpConfiguration, type Option } from "commander";

/** Longer flags get a line of their own, so that their descriptions keep a column wide enough to read. */
const TERM_COLUMNS = 28;
const DEFAULTS = Help.prototype;

/** For every program: commander copies it only to the commands that it makes itself. */
export const HELP_LAYOUT: HelpConfiguration = {
  padWidth: (program, helper) => Math.min(TERM_COLUMNS, DEFAULTS.padWidth.call(helper, program, helper)),
  formatItem: (term, termWidth, description, helper) => {
    if (term.length <= termWidth) return DEFAULTS.formatItem.call(helper, term, termWidth, description, helper);
    return `  ${term}\n${DEFAULTS.formatItem.call(helper, "", termWidth, description, helper)}`;
  },
  subcommandTerm,
  optionDescription,
  // `help` works everywhere; -h is what the list shows.
  visibleCommands(program) {
    return DEFAULTS.visibleCommands.call(this as Help, program).filter((each) => each.name() !== "help");
  },
};

/** Name, its shortest alias, arguments. */
function subcommandTerm(program: Program): string {
  const [alias] = program.aliases().toSorted((a, b) => a.length - b.length);
  const name = alias === undefined ? program.name() : `${program.name()}|${alias}`;
  const words = program.registeredArguments.map((each) => {
    const text = `${each.name()}${each.variadic ? "..." : ""}`;
    return each.required ? `<${text}>` : `[${text}]`;
  });
  return [name, ...words].join(" ");
}

function optionDescription(option: Option): string {
  const facts: string[] = [];
  if (option.argChoices !== undefined) facts.push(option.argChoices.join(", "));
  const fallback = option.defaultValueDescription ?? (option.defaultValue === undefined ? "" : String(option.defaultValue));
  if (fallback !== "" && option.defaultValue !== false) facts.push(`default: ${fallback}`);
  if (option.envVar !== undefined) facts.push(`env: ${option.envVar}`);
  return facts.length === 0 ? option.description : `${option.description} (${facts.join("; ")})`;
}

/** commander's `error: …` as one of our messages, with where to read on. */
export function usageErrorText(text: string, program: Program): string {
  const [first = "", ...more] = text.trim().split("\n");
  const message = first.replace(/^error: /, "").replace(/\.$/, "");
  const hints = more.map((line) => line.replace(/^\((.*)\)$/, "$1").replace(/^Did/, "did"));
  return [`meshctl: ${message}`, ...hints.map((hint) => `  ${hint}`), `  see ${pathOf(program)} --help`, ""].join("\n");
}

function pathOf(program: Program): string {
  return program.parent === null ? program.name() : `${pathOf(program.parent)} ${program.name()}`;
}
