// docs/failures.md says of every cause what the table says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import type { Cause } from "../../../../src/proxy-runtime/failure/cause.ts";
import { Causes } from "../../../../src/proxy-runtime/failure/causes.ts";
import { failureCells } from "../../../support/failures/page.ts";

const PAGE = readFileSync(resolve(import.meta.dirname, "../../../../docs/failures.md"), "utf8");

/** Rows of causes: their facts, and what they explain. */
const rows = PAGE.split("\n")
  .filter((line) => /^\| [a-z]\w* \| [A-Z-]+ \|/.test(line))
  .map((line) => line.slice(2, -2).split(/(?<!\\) \| /));

test("the page has every cause once, and nothing else", () => {
  assert.deepEqual(rows.map(([name]) => name).sort(), Object.keys(Causes).sort());
});

test("the page's facts are the table's", () => {
  for (const [name = "", ...cells] of rows) {
    const cause: Cause | undefined = Causes[name as keyof typeof Causes];
    assert.deepEqual([name, ...cells.slice(0, -1)], failureCells(cause), name);
    assert.match(cells.at(-1)!, /^[A-Z`].{10,}\.$/, name);
  }
});
