// Which requests are sent again, and when.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../src/kube/api-error.ts";
import { retried } from "../../../src/kube/retried.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const DONE = "done";

/** What becomes of a request that fails so often, and when each of its tries was made. */
async function tried(failure: ApiError, failures: number): Promise<{ outcome: unknown; triesAtMs: number[] }> {
  const clock = new ManualClock(0);
  const triesAtMs: number[] = [];
  let outcome: unknown;
  const request = retried(clock, () => {
    triesAtMs.push(clock.now());
    return triesAtMs.length <= failures ? Promise.reject(failure) : Promise.resolve(DONE);
  }).then(
    (value) => (outcome = value),
    (error: unknown) => (outcome = error),
  );
  await clock.advance(60_000);
  await request;
  return { outcome, triesAtMs };
}

describe("a request that may be sent again", () => {
  for (const [what, failure] of [
    ["too many requests", new ApiError(429, "TooManyRequests", "too many requests")],
    ["a load balancer without an API server behind it", new ApiError(503, "", "no upstream")],
    ["a connection that broke off", new ApiError(0, "", "the connection broke off")],
  ] as const) {
    test(`is sent again after ${what}`, async () => {
      const { outcome, triesAtMs } = await tried(failure, 2);
      assert.deepEqual([outcome, triesAtMs.length], [DONE, 3]);
    });
  }

  for (const [what, failure] of [
    ["a refusal", new ApiError(403, "Forbidden", "you may not")],
    ["a failure of the server's own", new ApiError(500, "InternalError", "etcd is away")],
    ["an answer that didn't come in time, for which a person has waited", new ApiError(0, "", "no answer within 30 s")],
  ] as const) {
    test(`is not sent again after ${what}`, async () => {
      const { outcome, triesAtMs } = await tried(failure, 1);
      assert.deepEqual([outcome, triesAtMs], [failure, [0]]);
    });
  }

  test("is given up after four tries, with what was said last", async () => {
    const failure = new ApiError(502, "", "bad gateway");
    const { outcome, triesAtMs } = await tried(failure, 9);
    assert.deepEqual([outcome, triesAtMs.length], [failure, 4]);
  });

  test("waits for as long as the server asks, but for no more than ten seconds", async () => {
    for (const [retryAfterMs, expectedMs] of [
      [7_000, 7_000],
      [60_000, 10_000],
    ] as const) {
      const failure = new ApiError(429, "TooManyRequests", "too many requests", retryAfterMs);
      assert.deepEqual((await tried(failure, 1)).triesAtMs, [0, expectedMs]);
    }
  });
});
