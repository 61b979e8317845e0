import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Tally } from "../../../scripts/test-runner/tally.ts";

const good = { passed: 3, skipped: 0, failures: [], durationMs: 12 };

describe("the report of a test run", () => {
  test("closes with passes and failures alone on the last line", () => {
    const lines: string[] = [];
    const tally = new Tally(2, (line) => lines.push(line));
    tally.add("a.test.ts", good);
    tally.add("b.test.ts", { passed: 1, skipped: 0, failures: [{ title: "adds", line: 7, reason: "1 !== 2" }], durationMs: 1 });
    tally.close(false);
    assert.equal(lines.at(-1), "4 passed, 1 failed");
    assert.equal(tally.hasFailures, true);
    assert.ok(lines.includes("  b.test.ts:7 adds"), lines.join("\n"));
  });

  test("counts skipped tests only where there are some", () => {
    const lines: string[] = [];
    const tally = new Tally(1, (line) => lines.push(line));
    tally.add("a.test.ts", { ...good, skipped: 2 });
    tally.close(false);
    assert.equal(lines.at(-1), "3 passed, 0 failed, 2 skipped");
    assert.equal(tally.hasFailures, false);
  });

  test("says how much an interrupted run did not do", () => {
    const lines: string[] = [];
    const tally = new Tally(5, (line) => lines.push(line));
    tally.add("a.test.ts", good);
    tally.close(true);
    assert.ok(lines.includes("\nInterrupted with 4 of 5 still to run."));
    assert.equal(lines.at(-1), "3 passed, 0 failed");
  });
});
