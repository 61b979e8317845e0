// The unified diff of two texts: how it looks, and that it is carried out as it says.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { applyPatch } from "diff";
import { unifiedDiff } from "../../../src/cli/unified-diff.ts";

const lines = (...each: readonly (string | number)[]): string => each.map((line) => `${line}\n`).join("");
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const diffOf = (before: string, after: string): string =>
  unifiedDiff({ name: "Deployment mesh-system/controller (in the cluster)", text: before }, { name: "new", text: after });
const HEADING = "--- Deployment mesh-system/controller (in the cluster)\n+++ new\n";

describe("a unified diff", () => {
  test("of equal texts is empty, without a heading", () => assert.equal(diffOf("a\nb\n", "a\nb\n"), ""));

  test("shows three lines around a change, and joins changes whose contexts touch", () => {
    const after = numbers(1, 40).map((each) => (each === 10 || each === 16 || each === 30 ? `new ${each}` : each));
    assert.equal(
      diffOf(lines(...numbers(1, 40)), lines(...after)),
      HEADING +
        lines(
          "@@ -7,13 +7,13 @@",
          ...[7, 8, 9].map((each) => ` ${each}`),
          "-10",
          "+new 10",
          ...numbers(11, 15).map((each) => ` ${each}`),
          "-16",
          "+new 16",
          ...[17, 18, 19].map((each) => ` ${each}`),
          "@@ -27,7 +27,7 @@",
          ...[27, 28, 29].map((each) => ` ${each}`),
          "-30",
          "+new 30",
          ...[31, 32, 33].map((each) => ` ${each}`),
        ),
    );
  });

  test("of a text that is new, or gone, is the whole of it", () => {
    assert.equal(diffOf("", "a\nb\n"), `${HEADING}@@ -0,0 +1,2 @@\n+a\n+b\n`);
    assert.equal(diffOf("a\nb\n", ""), `${HEADING}@@ -1,2 +0,0 @@\n-a\n-b\n`);
  });

  test("of texts with too little in common is the one after the other", () => {
    const [before, after] = [lines(...numbers(1, 3000)), lines(...numbers(10_001, 13_000), 1)];
    const diff = diffOf(before, after);
    assert.ok(diff.startsWith(`${HEADING}@@ -1,3000 +1,3001 @@\n-1\n-2\n`), diff.slice(0, 200));
    assert.equal(applyPatch(before, diff), after);
  });

  test("of a new text that is long is the whole of it", () => {
    const after = lines(...numbers(1, 3000));
    const diff = diffOf("", after);
    assert.ok(diff.startsWith(`${HEADING}@@ -0,0 +1,3000 @@\n+1\n+2\n`), diff.slice(0, 200));
    assert.equal(applyPatch("", diff), after);
  });
});
