// Reads the Dockerfile as far as ours goes, so that what is tried is what is built.

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface Copy {
  readonly mode: number;
  readonly sources: readonly string[];
  readonly target: string;
}

/** Comments left out, continued lines joined, variables of ARG put in. @throws for an instruction that nobody here performs. */
export function parseDockerfile(text: string, args: Readonly<Record<string, string>> = {}): Instruction[] {
  const lines = text
    .split("\n")
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join("\n")
    .replaceAll("\\\n", "")
    .split("\n");
  const variables = new Map<string, string>();
  return lines.map((line) => {
    const [, name = "", raw = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (!KNOWN.has(name)) throw new Error(`${line}: unknown to test/support/image/dockerfile.ts`);
    const [, variable, value] = (name === "ARG" && /^(\w+)=(.*)$/.exec(raw)) || [];
    if (variable !== undefined) variables.set(variable, args[variable] ?? value!);
    return { name, text: raw.replace(/\$\{(\w+)\}/g, (all, each: string) => variables.get(each) ?? all) };
  });
}

const KNOWN: ReadonlySet<string> = new Set(["FROM", "ARG", "LABEL", "RUN", "COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT"]);

export function parseCopy(text: string): Copy {
  const words = text.split(/\s+/);
  const mode = /^--chmod=([0-7]+)$/.exec(words[0]!)?.[1];
  if (mode === undefined) throw new Error(`COPY ${text}: must begin with --chmod, or it takes on the checkout's modes`);
  return { mode: Number.parseInt(mode, 8), sources: words.slice(1, -1), target: words.at(-1)! };
}

/** Whether .dockerignore, which leaves out everything that no `!` line names, lets `path` into the build. */
export function isInContext(path: string, dockerignore: string): boolean {
  const lines = dockerignore.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  if (lines[0] !== "*" || lines.slice(1).some((line) => !line.startsWith("!"))) throw new Error(".dockerignore: * and then only ! lines");
  return lines.slice(1).some((line) => {
    const parts = line.slice(1).split("/");
    const own = path.split("/").slice(0, parts.length);
    return own.length === parts.length && parts.every((part, index) => matches(own[index]!, part));
  });
}

function matches(name: string, pattern: string): boolean {
  const parts = pattern.split("*").map((each) => each.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}
