import assert from "node:assert/strict";
import { test } from "node:test";
import { closestWord } from "../../../src/common/closest-word.ts";

const KNOWN = ["weight", "destination", "headers", "match"];

test("suggests the word that a mistyped one is nearest to", () => {
  assert.equal(closestWord("wieght", KNOWN), "weight");
  assert.equal(closestWord("Weight", KNOWN), "weight");
  assert.equal(closestWord("destinations", KNOWN), "destination");
  assert.equal(closestWord("mtch", KNOWN), "match");
});

test("takes no time over words whose lengths are too far apart", () => {
  const startMs = performance.now();
  for (let round = 0; round < 300; round++) assert.equal(closestWord("w".repeat(50_000), KNOWN), undefined);
  assert.ok(performance.now() - startMs < 1000);
});

test("suggests nothing for a word that is like none", () => {
  assert.equal(closestWord("timeout", KNOWN), undefined);
  assert.equal(closestWord("x", KNOWN), undefined);
  assert.equal(closestWord("anything", []), undefined);
});
