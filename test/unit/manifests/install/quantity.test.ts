// Kubernetes' amounts: which are some, and how the API server spells them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { canonicalQuantity, parseQuantity } from "../../../../src/manifests/install/quantity.ts";

describe("an amount is spelled as the API server stores it", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["100m", "100m"],
    ["1000m", "1"],
    ["1500m", "1500m"],
    ["0.5", "500m"],
    [".5", "500m"],
    ["1.50", "1500m"],
    ["2", "2"],
    ["2000", "2k"],
    ["1e3", "1k"],
    ["1024Mi", "1Gi"],
    ["1536Mi", "1536Mi"],
    ["0.5Gi", "512Mi"],
    ["1000Ki", "1000Ki"],
    ["1024", "1024"],
    ["512M", "512M"],
    ["1000M", "1G"],
    ["0", "0"],
    ["0Mi", "0"],
  ];
  for (const [given, stored] of cases) {
    test(`${given} as ${stored}`, () => {
      assert.equal(canonicalQuantity(given), stored);
      assert.equal(parseQuantity(stored), parseQuantity(given));
    });
  }

  for (const text of ["", "m", "-1", "1 Gi", "1gi", "1mi", "1.2.3", "0x10", "1e", "Infinity"])
    test(`${JSON.stringify(text)} is none`, () => assert.equal(parseQuantity(text), undefined));
});
