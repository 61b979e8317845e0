import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RetryPolicy } from "../../../../src/proxy-runtime/config/route-config.ts";
import type { Cause } from "../../../../src/proxy-runtime/failure/cause.ts";
import { Causes } from "../../../../src/proxy-runtime/failure/causes.ts";
import { RetryState } from "../../../../src/proxy-runtime/router/retry-state.ts";

function policy(retryOn: readonly string[], more: Partial<RetryPolicy> = {}): RetryPolicy {
  return {
    retryOn,
    numRetries: 1,
    perTryTimeoutMs: 0,
    retriableStatusCodes: [],
    backoffBaseMs: 25,
    backoffMaxMs: 250,
    avoidPreviousHostsAttempts: 0,
    ...more,
  };
}

const state = (words: readonly string[], more: Partial<RetryPolicy> = {}) => new RetryState(policy(words, more), "GET");

describe("a failed attempt is tried again", () => {
  const yes: readonly (readonly [word: string, cause: Cause])[] = [
    ["connect-failure", Causes.connectFailure],
    ["connect-failure", Causes.connectTimeout],
    ["connect-failure", Causes.tlsFailure],
    ["reset-before-request", Causes.connectFailure],
    ["reset", Causes.upstreamClosed],
    ["reset", Causes.upstreamReset],
    ["5xx", Causes.connectFailure],
    ["5xx", Causes.upstreamClosed],
    ["5xx", Causes.perTryTimeout],
    ["gateway-error", Causes.upstreamReset],
  ];
  for (const [word, cause] of yes) test(`on ${cause.name} where ${word} is asked for`, () => assert.ok(state([word]).takesRetryFor(cause)));

  const no: readonly (readonly [word: string, cause: Cause])[] = [
    ["connect-failure", Causes.upstreamClosed],
    ["connect-failure", Causes.upstreamReset],
    ["connect-failure", Causes.perTryTimeout],
    ["refused-stream", Causes.connectFailure],
    ["retriable-4xx", Causes.connectFailure],
    ["5xx", Causes.upstreamOverflow],
    ["5xx", Causes.upstreamTimeout],
    ["no-such-word", Causes.connectFailure],
  ];
  for (const [word, cause] of no) test(`not on ${cause.name} for ${word}`, () => assert.ok(!state([word]).takesRetryFor(cause)));

  test("not without a policy", () => {
    const none = new RetryState(undefined, "GET");
    assert.ok(!none.takesRetryFor(Causes.connectFailure));
    assert.ok(!none.takesRetryForResponse(503, undefined));
    assert.equal(none.isExhausted, false);
  });

  test("as often as allowed, failures and responses counted together", () => {
    const two = state(["5xx"], { numRetries: 2 });
    assert.ok(two.takesRetryFor(Causes.connectFailure));
    assert.equal(two.isExhausted, false);
    assert.ok(two.takesRetryForResponse(500, undefined));
    assert.equal(two.isExhausted, true);
    assert.ok(!two.takesRetryForResponse(500, undefined));
    assert.ok(!two.takesRetryFor(Causes.connectFailure));
  });
});

describe("a response is tried again", () => {
  const cases: readonly (readonly [words: string[], retried: number[], not: number[]])[] = [
    [["5xx"], [500, 503, 599], [200, 404, 409, 429]],
    [["gateway-error"], [502, 503, 504], [500, 501, 505]],
    [["retriable-4xx"], [409], [400, 404, 500]],
    [["connect-failure"], [], [503, 502]],
    [["retriable-status-codes"], [418], [500, 503]],
    [["retriable-4xx", "gateway-error"], [409, 502], [500]],
  ];
  for (const [words, retried, not] of cases) {
    test(`for ${words.join()}: ${retried.join() || "never"}`, () => {
      for (const status of retried)
        assert.ok(state(words, { retriableStatusCodes: [418] }).takesRetryForResponse(status, undefined), String(status));
      for (const status of not)
        assert.ok(!state(words, { retriableStatusCodes: [418] }).takesRetryForResponse(status, undefined), String(status));
    });
  }
});

test("a sidecar that could not reach its application counts as a refused connection, what it says otherwise does not", () => {
  const unreached = 'UF; by=server; detail="127.0.0.1:8080: ECONNREFUSED"';
  assert.ok(state(["connect-failure"]).takesRetryForResponse(503, unreached));
  assert.ok(!state(["connect-failure"]).takesRetryForResponse(503, 'UC; by=server; detail="connection closed"'));
  assert.ok(!state(["connect-failure"]).takesRetryForResponse(503, undefined));
  assert.ok(!state(["retriable-4xx"]).takesRetryForResponse(503, unreached));
});

describe("a request on a connection that died while idle", () => {
  test("is sent once more where it may be repeated, whatever the policy", () => {
    for (const method of ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]) {
      const each = new RetryState(undefined, method);
      assert.ok(each.takesStaleRetry(Causes.upstreamClosed), method);
      assert.ok(!each.takesStaleRetry(Causes.upstreamClosed), `${method} twice`);
    }
    assert.ok(new RetryState(undefined, "GET").takesStaleRetry(Causes.upstreamReset));
  });

  test("is not sent again where that could do harm or the failure was another", () => {
    for (const method of ["POST", "PATCH", "get", "LOCK"])
      assert.ok(!new RetryState(undefined, method).takesStaleRetry(Causes.upstreamClosed), method);
    for (const cause of [Causes.connectFailure, Causes.upstreamProtocolError, Causes.upstreamTimeout]) {
      assert.ok(!new RetryState(undefined, "GET").takesStaleRetry(cause), cause.name);
    }
  });
});

test("the back-off before retry n is anything up to (2^n − 1) × base, at most the maximum", () => {
  const each = state(["5xx"], { numRetries: 6 });
  const longest: number[] = [];
  for (let retry = 0; retry < 6; retry += 1) {
    each.takesRetryFor(Causes.connectFailure);
    assert.equal(each.backoffMs(0), 0);
    longest.push(each.backoffMs(1));
  }
  assert.deepEqual(longest, [25, 75, 175, 250, 250, 250]);
});
