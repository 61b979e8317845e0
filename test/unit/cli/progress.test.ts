import assert from "node:assert/strict";
import { test } from "node:test";
import { isLive } from "../../../src/cli/progress.ts";

test("redraws only on a terminal that has a width", () => {
  const stream = (isTTY: boolean, columns?: number) => ({ isTTY, columns }) as unknown as Parameters<typeof isLive>[0];
  assert.equal(isLive(stream(true, 80)), true);
  assert.equal(isLive(stream(true, 0)), false);
  assert.equal(isLive(stream(true)), false);
  assert.equal(isLive(stream(false, 80)), false);
});
