// Which of two versions is older.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compareVersions } from "../../../src/common/version.ts";

describe("versions are ordered as Semantic Versioning says", () => {
  const ascending = [
    "0.1.0",
    "0.2.0-alpha",
    "0.2.0-alpha.1",
    "0.2.0-alpha.2",
    "0.2.0-alpha.10",
    "0.2.0-alpha.b",
    "0.2.0",
    "0.10.0",
    "1.0.0",
  ];
  for (const [index, version] of ascending.slice(1).entries()) {
    const older = ascending[index] ?? "";
    test(`${older} before ${version}`, () => {
      assert.ok((compareVersions(older, version) ?? 0) < 0);
      assert.ok((compareVersions(version, older) ?? 0) > 0);
    });
  }

  test("a leading v and build metadata make no difference", () => assert.equal(compareVersions("v1.2.3+abc", "1.2.3"), 0));

  for (const text of ["dev", "1.2", "", "1.2.3.4"])
    test(`${JSON.stringify(text)} is none`, () => assert.equal(compareVersions(text, "1.0.0"), undefined));
});
