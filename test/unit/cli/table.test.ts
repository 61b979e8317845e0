import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTable } from "../../../src/cli/table.ts";

test("pads every column but the last to its widest cell and the gap", () => {
  assert.equal(
    formatTable(
      ["NAME", "PORT", "TYPE"],
      [
        ["a", "8080", "EDS"],
        ["longer", "", "STATIC"],
      ],
      { padding: 2 },
    ),
    "NAME    PORT  TYPE\na       8080  EDS\nlonger        STATIC\n",
  );
});

test("ends numbers at the right edge of their column", () => {
  assert.equal(
    formatTable(
      ["NAME", "RPS"],
      [
        ["a", "1.5"],
        ["b", "120.0"],
      ],
      { padding: 3, alignRight: [1] },
    ),
    "NAME     RPS\na        1.5\nb      120.0\n",
  );
});

test("colours cells without moving the columns", () => {
  const table = formatTable(
    ["A", "B"],
    [
      ["x", "y"],
      ["long", "z"],
    ],
    { padding: 1, paint: (text, row) => (row === 0 ? `<${text}>` : text) },
  );
  assert.equal(table, "A    B\n<x   > <y>\nlong z\n");
});

test("draws columns nearer together where the terminal is narrow, but never closer than two spaces", () => {
  const table = (width: number): string => formatTable(["A", "B", "C"], [["aaaa", "bbbb", "cccc"]], { width }).split("\n")[1]!;
  assert.equal(table(22), "aaaa     bbbb     cccc");
  assert.equal(table(19), "aaaa   bbbb   cccc");
  assert.equal(table(5), "aaaa  bbbb  cccc");
});
