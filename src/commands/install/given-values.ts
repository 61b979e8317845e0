// The values that a person gives with -f, --set and --profile.
import type { CommandContext } from "../../cli/command.ts";
import { readInput } from "../../cli/input-file.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import type { Profile, ValuesLayer } from "../../manifests/install/install-values.ts";
import { resolveValues } from "../../manifests/install/profiles.ts";
import type { ResolvedValues } from "../../manifests/install/profiles.ts";
import { readSetting, readValuesFile } from "../../manifests/install/read-values.ts";
import type { ReadValues } from "../../manifests/install/read-values.ts";

/**
 * @param kept what they stand over.
 * @throws UserError with every problem of every file and every --set.
 */
export async function resolveGivenValues(options: CommandContext["options"], kept: readonly ValuesLayer[] = []): Promise<ResolvedValues> {
  const texts = (name: string): readonly string[] => (options[name] as readonly string[] | undefined) ?? [];
  const files = texts("values");
  if (files.filter((each) => each === "-").length > 1)
    throw new UserError("-f - is given twice", "standard input can be read once", USAGE_EXIT_CODE);
  const read = [...(await Promise.all(files.map(readFile))), ...texts("set").map(readSetting)];
  const profile = options["profile"] as Profile | undefined;
  const layers: ValuesLayer[] = [...kept, ...read.map(({ layer }) => layer), ...(profile === undefined ? [] : [{ profile }])];
  const resolved = resolveValues(layers);
  const problems = read.flatMap((each) => each.problems);
  // What valid values contradict each other in is told once they all are valid.
  refuseValues(problems.length > 0 ? problems : resolved.problems);
  return resolved;
}

async function readFile(path: string): Promise<ReadValues> {
  try {
    return readValuesFile(await readInput(path), path === "-" ? "standard input" : path);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { layer: {}, problems: [error.message] };
  }
}

/** @throws UserError when there are problems. */
export function refuseValues(problems: readonly string[], hint: string = "docs/install.md lists every value"): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  const text =
    others.length === 0 ? first : `${problems.length} problems with the values:\n${problems.map((each) => `  ${each}`).join("\n")}`;
  throw new UserError(text, hint);
}
