// What a person sees of a test run: a line per file as it ends, failures in full, and the closing count.
import type { FailedTest, FileResult } from "./run-file.ts";

export class Tally {
  readonly #total: number;
  readonly #print: (line: string) => void;
  #done = 0;
  #passed = 0;
  #skipped = 0;
  readonly #failures: { readonly file: string; readonly failure: FailedTest }[] = [];

  constructor(total: number, print: (line: string) => void = (line) => console.log(line)) {
    this.#total = total;
    this.#print = print;
  }

  get hasFailures(): boolean {
    return this.#failures.length > 0;
  }

  add(file: string, result: FileResult): void {
    this.#done += 1;
    this.#passed += result.passed;
    this.#skipped += result.skipped;
    const mark = result.failures.length > 0 ? "✗" : "✓";
    const place = `${this.#done}/${this.#total}`.padStart(String(this.#total).length * 2 + 1);
    this.#print(
      `${place} ${mark} ${file} (${count(result.passed, result.failures.length, result.skipped)}; ${(result.durationMs / 1000).toFixed(1)} s)`,
    );
    for (const failure of result.failures) {
      this.#failures.push({ file, failure });
      this.#printFailure(file, failure);
    }
  }

  /** Repeats the names of what failed, then the count, alone on the last line. */
  close(isInterrupted: boolean): void {
    if (this.#failures.length > 0) {
      this.#print("\nFailed:");
      for (const { file, failure } of this.#failures) this.#print(`  ${place(file, failure)}`);
    }
    if (isInterrupted) this.#print(`\nInterrupted with ${this.#total - this.#done} of ${this.#total} still to run.`);
    this.#print("");
    this.#print(count(this.#passed, this.#failures.length, this.#skipped));
  }

  #printFailure(file: string, failure: FailedTest): void {
    this.#print(`    ✗ ${place(file, failure)}`);
    for (const line of failure.reason.split("\n")) this.#print(`      ${line}`);
  }
}

function place(file: string, failure: FailedTest): string {
  const at = failure.line === undefined ? file : `${file}:${failure.line}`;
  return failure.title === undefined ? at : `${at} ${failure.title}`;
}

function count(passed: number, failed: number, skipped: number): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
