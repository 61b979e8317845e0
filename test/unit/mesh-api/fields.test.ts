// What the pieces of mesh objects say of mistakes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { KEY_SEPARATOR, struct } from "../../../src/mesh-api/fields.ts";

test("an unknown field is told with the nearest known one, but not in thousands", () => {
  const keys = Array.from({ length: 5000 }, (_, index) => `trafficPolicies${index}`);
  const { error } = struct({ trafficPolicy: z.any().optional() }).safeParse(Object.fromEntries(keys.map((key) => [key, 1])));
  const lines = error?.issues[0]?.message.split(KEY_SEPARATOR) ?? [];
  assert.equal(lines.length, 5000);
  assert.equal(lines[0], 'unknown field; did you mean "trafficPolicy"?');
  assert.equal(lines[999], "unknown field");
});
