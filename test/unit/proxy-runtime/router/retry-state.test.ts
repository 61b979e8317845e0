// Which failures and responses a request is tried again after, how often, and how long it waits.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RETRY_WORDS, type HeaderMatch, type RetryPolicy, type RetryWord } from "../../../../src/proxy-runtime/config/route-config.ts";
import type { Cause } from "../../../../src/proxy-runtime/failure/cause.ts";
import { Causes } from "../../../../src/proxy-runtime/failure/causes.ts";
import { HeaderList } from "../../../../src/proxy-runtime/http/header-list.ts";
import { RetryConditions } from "../../../../src/proxy-runtime/router/retry-conditions.ts";
import { takeRetryHeaders } from "../../../../src/proxy-runtime/router/retry-headers.ts";
import { RetryState } from "../../../../src/proxy-runtime/router/retry-state.ts";
import { requestHead } from "../../../support/request-head.ts";

function policy(retryOn: readonly RetryWord[], more: Partial<RetryPolicy> = {}): RetryPolicy {
  return {
    retryOn,
    numRetries: 1,
    perTryTimeoutMs: 0,
    perTryIdleTimeoutMs: 0,
    retriableStatusCodes: [],
    retriableHeaders: [],
    retriableRequestHeaders: [],
    backoffBaseMs: 25,
    backoffMaxMs: 250,
    rateLimitedBackoff: undefined,
    avoidPreviousHostsAttempts: 0,
    ...more,
  };
}

const conditions = (words: readonly RetryWord[], more: Partial<RetryPolicy> = {}) => new RetryConditions(policy(words, more));
const state = (words: readonly RetryWord[], more: Partial<RetryPolicy> = {}) => new RetryState(conditions(words, more), "GET");
const respond = (words: readonly RetryWord[], status: number, headers: readonly string[] = [], more: Partial<RetryPolicy> = {}) =>
  state(words, more).decideResponse(status, HeaderList.of(headers), undefined);

const UNREACHED = 'UF; by=server; detail="127.0.0.1:8080: ECONNREFUSED"';

describe("a failed try is followed by another", () => {
  const yes: readonly (readonly [word: RetryWord, cause: Cause])[] = [
    ["connect-failure", Causes.connectFailure],
    ["connect-failure", Causes.connectTimeout],
    ["connect-failure", Causes.tlsFailure],
    ["reset-before-request", Causes.connectFailure],
    ["refused-stream", Causes.upstreamRefused],
    ["reset", Causes.upstreamClosed],
    ["reset", Causes.upstreamReset],
    ["reset", Causes.upstreamRefused],
    ["5xx", Causes.connectFailure],
    ["5xx", Causes.upstreamClosed],
    ["5xx", Causes.perTryTimeout],
    ["5xx", Causes.upstreamDuration],
    ["gateway-error", Causes.upstreamReset],
  ];
  for (const [word, cause] of yes)
    test(`on ${cause.name} where ${word} is asked for`, () => assert.equal(state([word]).decideFailure(cause), "yes"));

  const no: readonly (readonly [word: RetryWord, cause: Cause])[] = [
    ["connect-failure", Causes.upstreamClosed],
    ["connect-failure", Causes.upstreamReset],
    ["connect-failure", Causes.perTryTimeout],
    ["reset-before-request", Causes.upstreamClosed],
    ["refused-stream", Causes.connectFailure],
    ["refused-stream", Causes.upstreamReset],
    ["retriable-4xx", Causes.connectFailure],
    ["unavailable", Causes.upstreamClosed],
    ["5xx", Causes.upstreamOverflow],
    ["5xx", Causes.upstreamTimeout],
  ];
  for (const [word, cause] of no) test(`not on ${cause.name} for ${word}`, () => assert.equal(state([word]).decideFailure(cause), "no"));

  test("not without a policy", () => {
    const none = new RetryState(undefined, "GET");
    assert.equal(none.decideFailure(Causes.connectFailure), "no");
    assert.equal(none.decideResponse(503, new HeaderList(), undefined), "no");
  });

  test("as often as allowed, failures and responses counted together", () => {
    const two = state(["5xx"], { numRetries: 2 });
    assert.equal(two.decideFailure(Causes.connectFailure), "yes");
    assert.equal(two.decideResponse(500, new HeaderList(), undefined), "yes");
    assert.equal(two.decideResponse(404, new HeaderList(), undefined), "no");
    assert.equal(two.decideResponse(500, new HeaderList(), undefined), "exhausted");
    assert.equal(two.decideFailure(Causes.connectFailure), "exhausted");
  });
});

describe("a response is tried again", () => {
  const codes = { retriableStatusCodes: [418] };
  const cases: readonly (readonly [words: RetryWord[], retried: number[], not: number[]])[] = [
    [["5xx"], [500, 503, 599], [200, 404, 409, 429]],
    [["gateway-error"], [502, 503, 504], [500, 501, 505]],
    [["retriable-4xx"], [409], [400, 404, 500]],
    [["connect-failure"], [], [503, 502]],
    [["retriable-status-codes"], [418], [500, 503]],
    [["retriable-4xx", "gateway-error"], [409, 502], [500]],
  ];
  for (const [words, retried, not] of cases) {
    test(`for ${words.join()}: ${retried.join() || "never"}`, () => {
      for (const status of retried) assert.equal(respond(words, status, [], codes), "yes", String(status));
      for (const status of not) assert.equal(respond(words, status, [], codes), "no", String(status));
    });
  }

  test("by the gRPC status in its headers", () => {
    const words: readonly (readonly [RetryWord, number])[] = [
      ["cancelled", 1],
      ["deadline-exceeded", 4],
      ["resource-exhausted", 8],
      ["internal", 13],
      ["unavailable", 14],
    ];
    for (const [word, status] of words) {
      assert.equal(respond([word], 200, ["grpc-status", String(status)]), "yes", word);
      for (const other of [0, 2, 3, 5, 12, 16])
        assert.equal(respond([word], 200, ["grpc-status", String(other)]), "no", `${word} ${other}`);
    }
    assert.equal(respond(["unavailable"], 503), "no");
    assert.equal(respond(["unavailable"], 200, ["grpc-status", "fourteen"]), "no");
  });

  test("by the headers that a policy names", () => {
    const header: HeaderMatch = { name: "x-again", match: undefined, range: undefined, invert: false, treatMissingAsEmpty: false };
    const more = { retriableHeaders: [{ ...header, name: "x-other" }, header] };
    assert.equal(respond(["retriable-headers"], 200, ["X-Again", "1"], more), "yes");
    assert.equal(respond(["retriable-headers"], 200, ["X-Never", "1"], more), "no");
    assert.equal(respond(["5xx"], 200, ["X-Again", "1"], more), "no");
  });

  test("after a rate limit only where that is asked for", () => {
    const limited = ["X-Envoy-RateLimited", "true"];
    assert.equal(respond(["5xx"], 503, limited), "no");
    assert.equal(respond(["envoy-ratelimited"], 429, limited), "yes");
    assert.equal(respond(["envoy-ratelimited"], 429), "no");
    assert.equal(respond(["5xx", "envoy-ratelimited"], 503, limited), "yes");
  });

  test("is never passed over by the look at its status alone", () => {
    const headers = HeaderList.of(["grpc-status", "14", "x-envoy-ratelimited", "1"]);
    for (const word of RETRY_WORDS) {
      const each = conditions([word], { retriableStatusCodes: [204] });
      for (const status of [200, 204, 404, 409, 429, 500, 503])
        assert.ok(!each.wantsResponse(status, headers) || each.mayWantResponse(status), `${word} ${status}`);
    }
  });
});

test("only requests that a policy names are tried again at all", () => {
  const header: HeaderMatch = { name: "x-safe", match: undefined, range: undefined, invert: false, treatMissingAsEmpty: false };
  const each = conditions(["5xx"], { retriableRequestHeaders: [header] });
  assert.ok(each.allows(requestHead({ headers: ["X-Safe", "1"] })));
  assert.ok(!each.allows(requestHead({ headers: [] })));
  assert.ok(conditions(["5xx"]).allows(requestHead({ headers: [] })));
  assert.ok(!conditions([]).allows(requestHead({ headers: [] })));
  assert.ok(!conditions(["5xx"], { numRetries: 0 }).allows(requestHead({ headers: [] })));
});

test("a sidecar that could not reach its application counts as a refused connection, what it says otherwise does not", () => {
  const decide = (word: RetryWord, meshError: string | undefined) => state([word]).decideResponse(503, new HeaderList(), meshError);
  assert.equal(decide("connect-failure", UNREACHED), "yes");
  assert.equal(decide("connect-failure", UNREACHED.replace("UF;", "UF,URX;")), "yes");
  assert.equal(decide("connect-failure", 'UC; by=server; detail="connection closed"'), "no");
  assert.equal(decide("connect-failure", undefined), "no");
  assert.equal(decide("retriable-4xx", UNREACHED), "no");
});

describe("a request that the host has not looked at", () => {
  test("is sent once more on a new connection where it may be repeated, whatever the policy", () => {
    for (const method of ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]) {
      const each = new RetryState(undefined, method);
      assert.ok(each.takesUnseenRetry(Causes.upstreamClosed, true), method);
      assert.ok(!each.takesUnseenRetry(Causes.upstreamClosed, true), `${method} twice`);
    }
    assert.ok(new RetryState(undefined, "GET").takesUnseenRetry(Causes.upstreamReset, true));
  });

  test("is not sent again where that could do harm, the connection was new or the failure was another", () => {
    for (const method of ["POST", "PATCH", "get", "LOCK"])
      assert.ok(!new RetryState(undefined, method).takesUnseenRetry(Causes.upstreamClosed, true), method);
    assert.ok(!new RetryState(undefined, "GET").takesUnseenRetry(Causes.upstreamClosed, false));
    for (const cause of [Causes.connectFailure, Causes.upstreamProtocolError, Causes.upstreamTimeout]) {
      assert.ok(!new RetryState(undefined, "GET").takesUnseenRetry(cause, true), cause.name);
    }
  });

  test("is sent once more whatever its method where the host has said so", () => {
    const each = new RetryState(undefined, "POST");
    for (let time = 1; time <= 3; time += 1) assert.ok(each.takesUnseenRetry(Causes.upstreamRefused, false), `time ${time}`);
    assert.ok(!each.takesUnseenRetry(Causes.upstreamRefused, false));
  });
});

describe("the back-off", () => {
  test("before retry n is anything up to (2^n − 1) × base, at most the maximum", () => {
    const each = state(["5xx"], { numRetries: 6 });
    const longest: number[] = [];
    for (let retry = 0; retry < 6; retry += 1) {
      each.decideFailure(Causes.connectFailure);
      assert.equal(each.backoffMs(0), 0);
      longest.push(each.backoffMs(1));
    }
    assert.deepEqual(longest, [25, 75, 175, 250, 250, 250]);
  });

  test("is what the response asks for, and up to half as much more, where a header for that is configured", () => {
    const rateLimitedBackoff = {
      headers: [
        { name: "x-reset", format: "unix_timestamp" as const },
        { name: "retry-after", format: "seconds" as const },
      ],
      maxMs: 60_000,
    };
    const asked = (headers: readonly string[], random = 0) =>
      state(["5xx"], { rateLimitedBackoff }).rateLimitedMs(HeaderList.of(headers), random, 1_000_000);
    assert.equal(asked(["Retry-After", "3"]), 3000);
    assert.equal(asked(["Retry-After", "3"], 1), 4500);
    assert.equal(asked(["X-Reset", "1010"]), 10_000);
    assert.equal(asked(["X-Reset", "900", "retry-after", "2"]), 2000);
    assert.equal(asked(["X-Reset", "99999999", "retry-after", "2"]), 2000);
    for (const text of ["61", "0", "-1", "Wed, 21 Oct 2015 07:28:00 GMT", ""]) assert.equal(asked(["retry-after", text]), undefined, text);
    assert.equal(state(["5xx"]).rateLimitedMs(HeaderList.of(["retry-after", "3"]), 0, 0), undefined);
  });
});

describe("headers of an internal request", () => {
  test("add to its route's policy, and go no further", () => {
    const headers = HeaderList.of([
      ...["X-Envoy-Retry-On", "gateway-error, retriable-status-codes,no-such-word"],
      ...["x-envoy-retry-grpc-on", "unavailable"],
      ...["x-envoy-max-retries", "4"],
      ...["x-envoy-retriable-status-codes", "418,x,425"],
      ...["x-envoy-retriable-header-names", "X-Again"],
      ...["x-envoy-hedge-on-per-try-timeout", "true", "x-other", "1"],
    ]);
    const merged = takeRetryHeaders(headers, conditions(["connect-failure"], { retriableStatusCodes: [409] }))!.policy;
    assert.deepEqual(merged.retryOn, ["connect-failure", "gateway-error", "retriable-status-codes", "unavailable"]);
    assert.equal(merged.numRetries, 4);
    assert.deepEqual(merged.retriableStatusCodes, [409, 418, 425]);
    assert.deepEqual(
      merged.retriableHeaders.map((each) => each.name),
      ["x-again"],
    );
    assert.deepEqual(headers.toFlat(), ["x-other", "1"]);
  });

  test("are enough without a policy, and nothing without words", () => {
    assert.equal(takeRetryHeaders(HeaderList.of(["x-envoy-retry-on", "5xx"]), undefined)!.policy.numRetries, 1);
    assert.equal(takeRetryHeaders(HeaderList.of(["x-envoy-max-retries", "3"]), undefined), undefined);
    const own = conditions(["5xx"]);
    assert.equal(takeRetryHeaders(HeaderList.of(["x-other", "1"]), own), own);
  });
});
