// Splits an access log format into literal text and command operators: `%NAME(argument):maximum length%`, `%%` for a
// percent sign. Syntax: Envoy's substitution format strings.

export interface Command {
  readonly name: string;
  /** Text in parentheses; undefined where there are none. */
  readonly argument: string | undefined;
  readonly maxLength: number | undefined;
}

export type FormatPart = string | Command;

const COMMAND = /%([A-Z][A-Z0-9_]*)(?:\(([^)]*)\))?(?::([0-9]+))?%/y;

/** Parts in order; a string in `problem` where a percent sign starts nothing that is known. */
export function parseFormat(text: string): { readonly parts: readonly FormatPart[]; readonly problem: string | undefined } {
  const parts: FormatPart[] = [];
  let literal = "";
  let at = 0;
  while (at < text.length) {
    const percent = text.indexOf("%", at);
    if (percent < 0) break;
    literal += text.slice(at, percent);
    if (text[percent + 1] === "%") {
      literal += "%";
      at = percent + 2;
      continue;
    }
    COMMAND.lastIndex = percent;
    const match = COMMAND.exec(text);
    if (match === null) {
      return {
        parts: [],
        problem: `no command operator at ${JSON.stringify(text.slice(percent, percent + 30))}; a percent sign itself is %%`,
      };
    }
    if (literal !== "") parts.push(literal);
    literal = "";
    parts.push({ name: match[1]!, argument: match[2], maxLength: match[3] === undefined ? undefined : Number(match[3]) });
    at = COMMAND.lastIndex;
  }
  literal += text.slice(at);
  if (literal !== "") parts.push(literal);
  return { parts, problem: undefined };
}
