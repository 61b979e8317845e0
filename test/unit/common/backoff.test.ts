import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../../src/common/backoff.ts";

test("doubles the bound of the delay up to the limit, and starts over after a success", () => {
  const backoff = new Backoff({ initialMs: 100, maxMs: 1000, random: () => 0.5 });
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map(() => backoff.next()),
    [50, 100, 200, 400, 500, 500],
  );
  backoff.reset();
  assert.equal(backoff.next(), 50);
});

test("stays at the limit after very many failures", () => {
  const backoff = new Backoff({ initialMs: 1, maxMs: 10, random: () => 1 });
  for (let i = 0; i < 2000; i++) backoff.next();
  assert.equal(backoff.next(), 10);
});
