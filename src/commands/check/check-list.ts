// What a check is, and how a list of them becomes results: in order, until one fails that makes the rest pointless.
import { NotGathered } from "./gathered.ts";

export type Severity = "warning" | "error";

/** Something wrong. */
export interface Finding {
  readonly message: string;
  /** The command that mends it; what a person should know besides, behind `    # `. */
  readonly remedy: string;
  /** Where it is not the check's own. */
  readonly severity?: Severity;
  /** It may go away by itself, such as a pod that is starting: `--wait` waits for it. */
  readonly mayPass?: boolean;
}

/** What a check is about, whatever it looks at. */
export interface CheckSubject {
  /** A sentence that holds when all is well, as in `linkerd check`. */
  readonly description: string;
  /** Heading of docs/troubleshooting.md, as an anchor. */
  readonly hint: string;
  /** Of what it finds. */
  readonly severity: Severity;
  /** When it fails, nothing after it can be looked at. */
  readonly isFatal?: true;
}

export interface Check<State> extends CheckSubject {
  /** Pure: everything that is wrong by this state. @throws NotGathered */
  readonly find: (state: State) => readonly Finding[];
}

export interface Category<State> {
  readonly name: string;
  readonly checks: readonly Check<State>[];
}

export interface CheckResult {
  readonly description: string;
  readonly result: "success" | Severity;
  readonly hint: string;
  readonly findings: readonly Finding[];
}

export interface CategoryResult {
  readonly categoryName: string;
  readonly checks: readonly CheckResult[];
}

export function runChecks<State>(categories: readonly Category<State>[], state: State): CategoryResult[] {
  const results: CategoryResult[] = [];
  for (const { name, checks } of categories) {
    const done: CheckResult[] = [];
    results.push({ categoryName: name, checks: done });
    for (const check of checks) {
      const result = runCheck(check, state);
      done.push(result);
      if (check.isFatal === true && result.result === "error") return results;
    }
  }
  return results;
}

function runCheck<State>(check: Check<State>, state: State): CheckResult {
  const { description, hint } = check;
  try {
    const findings = check.find(state);
    const isError = findings.some((each) => (each.severity ?? check.severity) === "error");
    return { description, hint, findings, result: findings.length === 0 ? "success" : isError ? "error" : "warning" };
  } catch (error) {
    if (!(error instanceof NotGathered)) throw error;
    const finding: Finding = { message: `could not be checked: ${error.message}`, remedy: error.remedy };
    return { description, hint, findings: [finding], result: "warning" };
  }
}

/** What `--wait` still hopes for; undefined when no error is left that could pass. */
export function awaited(results: readonly CategoryResult[]): string | undefined {
  const findings = results.flatMap(({ checks }) => checks.filter((each) => each.result === "error").flatMap((each) => each.findings));
  return findings.find((each) => each.mayPass === true)?.message;
}

/** As linkerd's: warnings alone are a success. */
export function isSuccess(results: readonly CategoryResult[]): boolean {
  return results.every(({ checks }) => checks.every((each) => each.result !== "error"));
}
