// What inject and uninject print: the manifests, when all is well, and a line per object on standard error.
import type { CommandContext } from "../../cli/command.ts";
import { UserError } from "../../common/user-error.ts";
import type { ChangedFile } from "../../manifests/inject/manifest-files.ts";

/** @throws UserError when an object was refused, or with --strict when one has a problem; then nothing goes to standard output. */
export function writeManifests(context: CommandContext, files: readonly ChangedFile[], done: "injected" | "uninjected"): void {
  const { stdout, stderr, options } = context;
  const reports = files.flatMap((file) => file.reports);
  for (const { label, place, outcome, reason, warnings } of reports) {
    stderr.write(`${place}: ${label}: ${outcome}${reason === undefined ? "" : `: ${reason}`}\n`);
    for (const warning of warnings) stderr.write(`  warning: ${warning}\n`);
  }
  const refused = reports.filter((each) => each.outcome === "refused");
  const problems = reports.filter((each) => each.isProblem);
  const count = (outcome: string): number => reports.filter((each) => each.outcome === outcome).length;
  const others = files.reduce((sum, file) => sum + file.others, 0);
  if (refused.length > 0)
    throw new UserError(
      `${objects(refused.length)} can't be ${done}; nothing was printed`,
      "mend what the lines above name, and run again",
    );
  if (options["strict"] === true && problems.length > 0)
    throw new UserError(`${objects(problems.length)} with problems; nothing was printed`, "mend them, or run without --strict");
  stderr.write(`${count(done)} ${done}, ${count("skipped")} skipped, ${others} without pods left as they are\n`);
  stdout.write(joinFiles(files.map((file) => file.text)));
}

function objects(count: number): string {
  return count === 1 ? "1 object" : `${count} objects`;
}

/** One stream of documents; a single file stays byte for byte. */
export function joinFiles(texts: readonly string[]): string {
  let joined = "";
  for (const text of texts) {
    if (joined !== "" && !joined.endsWith("\n")) joined += "\n";
    if (joined !== "" && text !== "") joined += separatorFor(text);
    joined += text;
  }
  return joined;
}

function separatorFor(text: string): string {
  const first = text.split("\n").find((line) => !/^[ \t\r\uFEFF]*(?:#|$)/.test(line)) ?? "";
  if (first.startsWith("%")) return "...\n";
  return /^---(?:\s|$)/.test(first) ? "" : "---\n";
}
