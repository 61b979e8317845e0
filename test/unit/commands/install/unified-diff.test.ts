// The unified diff of two texts: what patch(1) makes of it, and how it looks.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unifiedDiff } from "../../../../src/commands/install/diff/unified-diff.ts";

const lines = (...each: readonly (string | number)[]): string => each.map((line) => `${line}\n`).join("");
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Carries the hunks out on `before`, as patch(1) would, and checks every line that they say stays or goes. */
function patched(before: string, diff: string): string {
  const old = before === "" ? [] : before.replace(/\n$/, "").split("\n");
  const result: string[] = [];
  let at = 0;
  for (const line of diff.split("\n").slice(0, -1)) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@$/.exec(line);
    if (hunk !== null) {
      const start = Number(hunk[1]) - (hunk[2] === "0" ? 0 : 1);
      result.push(...old.slice(at, start));
      at = start;
      assert.equal(result.length, Number(hunk[3]) - (hunk[4] === "0" ? 0 : 1), line);
    } else if (line.startsWith("+")) result.push(line.slice(1));
    else {
      assert.equal(line.slice(1), old[at]);
      if (line.startsWith(" ")) result.push(line.slice(1));
      at++;
    }
  }
  return [...result, ...old.slice(at)].map((line) => `${line}\n`).join("");
}

describe("a unified diff", () => {
  test("of equal texts is empty", () => assert.equal(unifiedDiff("a\nb\n", "a\nb\n"), ""));

  test("shows three lines around a change, and joins changes whose contexts touch", () => {
    const after = numbers(1, 40).map((each) => (each === 10 || each === 16 || each === 30 ? `new ${each}` : each));
    assert.equal(
      unifiedDiff(lines(...numbers(1, 40)), lines(...after)),
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
    assert.equal(unifiedDiff("", "a\nb\n"), "@@ -0,0 +1,2 @@\n+a\n+b\n");
    assert.equal(unifiedDiff("a\n", ""), "@@ -1 +0,0 @@\n-a\n");
  });

  test("is no longer than it must be", () => {
    const signs = unifiedDiff(lines(..."ABCABBA"), lines(..."CBABAC"))
      .split("\n")
      .filter((line) => /^[-+]/.test(line));
    assert.equal(signs.length, 5);
  });

  test("carried out on the first text gives the second, for texts at random", () => {
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
    for (let round = 0; round < 400; round++) {
      const before = lines(...Array.from({ length: random(30) }, () => random(4)));
      const after = lines(...Array.from({ length: random(30) }, () => random(4)));
      assert.equal(patched(before, unifiedDiff(before, after)), after);
    }
  });

  test("of texts that have nothing in common is the one after the other", () => {
    const [before, after] = [lines(...numbers(1, 3000)), lines(...numbers(10_001, 13_000))];
    assert.equal(patched(before, unifiedDiff(before, after)), after);
  });
});
