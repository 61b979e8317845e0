import assert from "node:assert/strict";
import { test } from "node:test";
import { isSuccess, runChecks } from "../../../../src/commands/check/check-list.ts";
import { CATEGORIES } from "../../../../src/commands/check/look-at-cluster.ts";
import { healthyState, meshCertificates } from "../../../support/check/healthy-mesh.ts";

test("finds nothing in a mesh in which nothing is wrong", async () => {
  const results = runChecks(CATEGORIES.proxy, healthyState(await meshCertificates()));
  assert.deepEqual(
    results.flatMap(({ checks }) => checks.filter((each) => each.result !== "success")),
    [],
  );
  assert.ok(isSuccess(results));
});
