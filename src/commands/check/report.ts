// Results for people, laid out as `linkerd check` does, and for programs, in the shape of its `-o json`.
import type { ChalkInstance } from "chalk";
import { isSuccess } from "./check-list.ts";
import type { CategoryResult, CheckResult, Finding } from "./check-list.ts";

const HINTS = "docs/troubleshooting.md";
/** Of one check; the rest is counted. `-o json` has all. */
const MOST_FINDINGS = 8;

export function formatReport(results: readonly CategoryResult[], style: ChalkInstance): string {
  const parts = results
    .filter(({ checks }) => checks.length > 0)
    .map(({ categoryName, checks }) => `${heading(categoryName)}${checks.map((each) => formatCheck(each, style)).join("")}\n`);
  const mark = isSuccess(results) ? style.green.bold("√") : style.red.bold("×");
  return `${parts.join("")}Status check results are ${mark}\n`;
}

/** linkerd's `-o short`. */
export function onlyProblems(results: readonly CategoryResult[]): CategoryResult[] {
  return results.map(({ categoryName, checks }) => ({ categoryName, checks: checks.filter((each) => each.result !== "success") }));
}

function heading(name: string): string {
  return `${name}\n${"-".repeat(name.length)}\n`;
}

function formatCheck(check: CheckResult, style: ChalkInstance): string {
  if (check.result === "success") return `${style.green.bold("√")} ${check.description}\n`;
  const mark = check.result === "warning" ? style.yellow.bold("‼") : style.red.bold("×");
  const shown = check.findings.slice(0, MOST_FINDINGS);
  const more = check.findings.length - shown.length;
  const lines = [
    ...shown.flatMap((each) => each.message.split("\n")),
    ...(more > 0 ? [`and ${more} more`] : []),
    `see ${hintOf(check)} for hints`,
    ...remediesOf(shown).map(
      (each) => `fix: ${each.replace(/^(.*?)( {4}#.*)?$/, (_, command: string, comment = "") => style.bold(command) + style.dim(comment))}`,
    ),
  ];
  return `${mark} ${check.description}\n${lines.map((each) => `    ${each}\n`).join("")}`;
}

/** linkerd's keys, and `remedies`: the commands that mend it. */
export function toJson(results: readonly CategoryResult[]): object {
  return {
    success: isSuccess(results),
    categories: results
      .filter(({ checks }) => checks.length > 0)
      .map(({ categoryName, checks }) => ({
        categoryName,
        checks: checks.map((check) =>
          check.result === "success"
            ? { description: check.description, result: check.result }
            : {
                description: check.description,
                hint: hintOf(check),
                error: check.findings.map((each) => each.message).join("\n"),
                result: check.result,
                remedies: remediesOf(check.findings),
              },
        ),
      })),
  };
}

function hintOf({ hint }: CheckResult): string {
  return `${HINTS}#${hint}`;
}

function remediesOf(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map((each) => each.remedy))];
}
