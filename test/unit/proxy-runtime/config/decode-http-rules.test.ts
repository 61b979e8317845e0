// What connection managers, routes and clusters say about time, limits, retries and who a request comes from.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Result } from "../../../../src/common/result.ts";
import type { ClusterConfig } from "../../../../src/proxy-runtime/config/cluster-config.ts";
import { decodeCluster } from "../../../../src/proxy-runtime/config/decode-cluster.ts";
import { decodeListener } from "../../../../src/proxy-runtime/config/decode-listener.ts";
import { decodeRoute } from "../../../../src/proxy-runtime/config/decode-route.ts";
import type { Decoded } from "../../../../src/proxy-runtime/config/decoding.ts";
import type { HttpConnectionManagerConfig } from "../../../../src/proxy-runtime/config/listener-config.ts";
import type { RetryPolicy, RouteAction, RouteConfig } from "../../../../src/proxy-runtime/config/route-config.ts";
import { any, cluster, httpListener, listener, route } from "../../../support/xds-resources.ts";

function value<T>(result: Result<Decoded<T>>): T {
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.problems));
  return result.value.value;
}

function problem(result: Result<unknown>): string {
  assert.equal(result.ok, false, "it was accepted");
  return result.ok ? "" : result.problems.map(({ path, message }) => `${path}: ${message}`).join("\n");
}

const ROUTES = { route_config: { name: "r", virtual_hosts: [] } };
const decodeManager = (fields: JsonObject, more: JsonObject = {}) =>
  decodeListener(listener(httpListener("l", { ...ROUTES, ...fields }, more)));

function managerOf(fields: JsonObject, more: JsonObject = {}): HttpConnectionManagerConfig {
  const { filter } = value(decodeManager(fields, more)).filterChains[0]!;
  assert.ok(filter.kind === "http");
  return filter;
}

describe("a connection manager", () => {
  test("has Envoy's times and limits where nothing else is said", () => {
    const config = managerOf({});
    assert.deepEqual(
      [
        [config.idleTimeoutMs, config.streamIdleTimeoutMs, config.requestTimeoutMs, config.requestHeadersTimeoutMs],
        [config.maxConnectionDurationMs, config.maxStreamDurationMs, config.delayedCloseTimeoutMs, config.drainTimeoutMs],
        [config.maxRequestHeadersKb, config.maxRequestHeaders, config.maxRequestsPerConnection, config.bufferLimitBytes],
      ],
      [
        [3_600_000, 300_000, 0, 0],
        [0, 0, 1000, 5000],
        [60, 100, 0, 1_048_576],
      ],
    );
  });

  test("takes all of them from its fields and its listener's", () => {
    const config = managerOf(
      {
        stream_idle_timeout: "1s",
        request_timeout: "2s",
        request_headers_timeout: "3s",
        delayed_close_timeout: "0.4s",
        drain_timeout: "5.5s",
        max_request_headers_kb: 16,
        common_http_protocol_options: {
          idle_timeout: "6s",
          max_connection_duration: "7s",
          max_stream_duration: "8s",
          max_headers_count: 9,
          max_requests_per_connection: 10,
          headers_with_underscores_action: "DROP_HEADER",
        },
      },
      { per_connection_buffer_limit_bytes: 11 },
    );
    assert.deepEqual(
      [
        [config.idleTimeoutMs, config.streamIdleTimeoutMs, config.requestTimeoutMs, config.requestHeadersTimeoutMs],
        [config.maxConnectionDurationMs, config.maxStreamDurationMs, config.delayedCloseTimeoutMs, config.drainTimeoutMs],
        [config.maxRequestHeadersKb, config.maxRequestHeaders, config.maxRequestsPerConnection, config.bufferLimitBytes],
        config.headersWithUnderscores,
      ],
      [[6000, 1000, 2000, 3000], [7000, 8000, 400, 5500], [16, 9, 10, 11], "drop"],
    );
  });

  test("believes nobody and leaves host and path alone by default, as Envoy does", () => {
    const config = managerOf({});
    assert.deepEqual(
      [config.useRemoteAddress, config.xffTrustedHops, config.appendForwardedPort, config.schemeOverwrite, config.via],
      [false, 0, false, undefined, ""],
    );
    assert.deepEqual(
      [config.stripHostPort, config.stripTrailingHostDot, config.normalizePath, config.mergeSlashes, config.escapedSlashes],
      ["none", false, false, false, "keep"],
    );
    assert.deepEqual(config.internalRanges.map(({ address, prefixLength }) => `${address}/${prefixLength}`).slice(0, 3), [
      "10.0.0.0/8",
      "172.16.0.0/12",
      "192.168.0.0/16",
    ]);
    assert.deepEqual(config.router, { suppressEnvoyHeaders: false, respectExpectedTimeout: false });
  });

  test("takes who it believes, and what host and path mean, from its fields", () => {
    const config = managerOf({
      use_remote_address: true,
      xff_num_trusted_hops: 2,
      append_x_forwarded_port: true,
      scheme_header_transformation: { scheme_to_overwrite: "https" },
      via: "1.1 é",
      internal_address_config: { cidr_ranges: [{ address_prefix: "192.0.2.0", prefix_len: 24 }] },
      always_set_request_id_in_response: true,
      strip_trailing_host_dot: true,
      strip_matching_host_port: true,
      path_with_escaped_slashes_action: "UNESCAPE_AND_REDIRECT",
      http_filters: [
        {
          name: "envoy.filters.http.router",
          typed_config: any("envoy.extensions.filters.http.router.v3.Router", {
            suppress_envoy_headers: true,
            respect_expected_rq_timeout: true,
          }),
        },
      ],
    });
    assert.deepEqual(
      [config.xffTrustedHops, config.appendForwardedPort, config.schemeOverwrite, config.via, config.alwaysSetRequestIdInResponse],
      [2, true, "https", "1.1 \u00c3\u00a9", true],
    );
    assert.deepEqual(config.internalRanges, [{ address: "192.0.2.0", prefixLength: 24 }]);
    assert.deepEqual(
      [config.stripHostPort, config.stripTrailingHostDot, config.escapedSlashes],
      ["matching", true, "unescape_and_redirect"],
    );
    assert.equal(managerOf({ strip_any_host_port: true }).stripHostPort, "any");
    assert.deepEqual(config.router, { suppressEnvoyHeaders: true, respectExpectedTimeout: true });
  });

  const refusals: readonly (readonly [what: string, fields: JsonObject, expected: RegExp])[] = [
    ["no headers at all", { common_http_protocol_options: { max_headers_count: 0 } }, /max_headers_count: must be at least 1/],
    ["both ways of taking ports off", { strip_any_host_port: true, strip_matching_host_port: true }, /strip_any_host_port: excludes/],
    ["a scheme that is none", { scheme_header_transformation: { scheme_to_overwrite: "ftp" } }, /must be http or https, not "ftp"/],
    ["a range that is none", { internal_address_config: { cidr_ranges: [{ address_prefix: "x" }] } }, /cidr_ranges\[0\].address_prefix/],
    ["a via that breaks the line", { via: "a\r\nb" }, /via: holds a control character/],
    ["more than we can hold", { max_request_headers_kb: 8193 }, /max_request_headers_kb: must be 1 to 8192/],
    ["other places to find an address", { original_ip_detection_extensions: [{ name: "x" }] }, /not supported/],
  ];
  for (const [what, fields, expected] of refusals) test(`refuses ${what}`, () => assert.match(problem(decodeManager(fields)), expected));
});

describe("a route", () => {
  const decode = (action: JsonObject, entry: JsonObject = {}, host: JsonObject = {}): Result<Decoded<RouteConfig>> =>
    decodeRoute(
      route({
        name: "r",
        virtual_hosts: [
          { name: "v", domains: ["*"], ...host, routes: [{ match: { prefix: "/" }, route: { cluster: "a", ...action }, ...entry }] },
        ],
      }),
    );
  const actionOf = (action: JsonObject): RouteAction & { kind: "route" } => {
    const found = value(decode(action)).virtualHosts[0]!.routes[0]!.action;
    assert.ok(found.kind === "route");
    return found;
  };
  const policyOf = (policy: JsonObject): RetryPolicy => actionOf({ retry_policy: policy }).retry!;

  test("limits the duration of a stream, by zero not at all, and says nothing without the field", () => {
    assert.equal(actionOf({ max_stream_duration: { max_stream_duration: "2s" } }).maxStreamDurationMs, 2000);
    assert.equal(actionOf({ max_stream_duration: { max_stream_duration: "0s" } }).maxStreamDurationMs, 0);
    assert.equal(actionOf({ max_stream_duration: {} }).maxStreamDurationMs, undefined);
  });

  test("keeps of a body what it says, else what its virtual host says", () => {
    const limitOf = (entry: JsonObject, host: JsonObject) => value(decode({}, entry, host)).virtualHosts[0]!.routes[0]!.bufferLimitBytes;
    const limit = (bytes: number) => ({ per_request_buffer_limit_bytes: bytes });
    assert.deepEqual(
      [limitOf(limit(5), limit(7)), limitOf({}, limit(7)), limitOf(limit(0), limit(7)), limitOf({}, {})],
      [5, 7, 0, undefined],
    );
  });

  test("counts attempts for host and client where its virtual host asks for it", () => {
    const fields = {
      include_request_attempt_count: true,
      include_attempt_count_in_response: true,
      include_is_timeout_retry_header: true,
    };
    const { includeAttemptCount, includeAttemptCountInResponse, includeIsTimeoutRetry } = value(decode({}, {}, fields)).virtualHosts[0]!;
    assert.deepEqual([includeAttemptCount, includeAttemptCountInResponse, includeIsTimeoutRetry], [true, true, true]);
  });

  test("has a retry policy of all of Envoy's words and waits", () => {
    const policy = policyOf({
      retry_on: "5xx,retriable-headers, envoy-ratelimited,no-such-word",
      per_try_timeout: "1s",
      per_try_idle_timeout: "0.5s",
      retriable_headers: [{ name: "X-Again" }],
      retriable_request_headers: [{ name: ":method", string_match: { exact: "GET" } }],
      rate_limited_retry_back_off: {
        reset_headers: [
          { name: "Retry-After", format: "SECONDS" },
          { name: "X-Reset", format: "UNIX_TIMESTAMP" },
        ],
      },
    });
    assert.deepEqual(policy.retryOn, ["5xx", "retriable-headers", "envoy-ratelimited"]);
    assert.deepEqual([policy.perTryTimeoutMs, policy.perTryIdleTimeoutMs], [1000, 500]);
    assert.deepEqual([policy.retriableHeaders[0]!.name, policy.retriableRequestHeaders[0]!.name], ["x-again", ":method"]);
    assert.deepEqual(policy.rateLimitedBackoff, {
      headers: [
        { name: "retry-after", format: "seconds" },
        { name: "x-reset", format: "unix_timestamp" },
      ],
      maxMs: 300_000,
    });
  });

  test("keeps the timeout of a try without any retry", () => assert.equal(policyOf({ per_try_timeout: "1s" }).perTryTimeoutMs, 1000));

  const refusals: readonly (readonly [what: string, action: JsonObject, expected: RegExp])[] = [
    ["hedging", { hedge_policy: { hedge_on_per_try_timeout: true } }, /hedge_policy: not supported/],
    ["retries over HTTP/3", { retry_policy: { retry_on: "http3-post-connect-failure" } }, /retry_on: not supported/],
    [
      "a rate limited back-off without headers",
      { retry_policy: { rate_limited_retry_back_off: { reset_headers: [], max_interval: "1s" } } },
      /rate_limited_retry_back_off.reset_headers: must not be empty/,
    ],
    ["mirrored requests", { request_mirror_policies: [{ cluster: "b" }] }, /request_mirror_policies: not supported/],
  ];
  for (const [what, action, expected] of refusals) test(`refuses ${what}`, () => assert.match(problem(decode(action)), expected));
});

describe("a cluster", () => {
  const clusterOf = (fields: JsonObject): ClusterConfig => value(decodeCluster(cluster({ name: "a", ...fields })));
  const lifetime = {
    idle_timeout: "4s",
    max_connection_duration: "60s",
    max_stream_duration: "5s",
    max_requests_per_connection: 7,
    max_headers_count: 300,
  };
  const timesOf = (config: ClusterConfig): number[] => [
    config.idleTimeoutMs,
    config.maxConnectionDurationMs,
    config.maxStreamDurationMs,
    config.maxRequestsPerConnection,
    config.maxResponseHeaders,
  ];

  test("says how long its connections and streams last, in either of the two places for it", () => {
    const typed = {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": any("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
        common_http_protocol_options: lifetime,
        explicit_http_config: { http_protocol_options: {} },
      }),
    };
    assert.deepEqual(timesOf(clusterOf({ typed_extension_protocol_options: typed })), [4000, 60_000, 5000, 7, 300]);
    assert.deepEqual(timesOf(clusterOf({ common_http_protocol_options: lifetime })), [4000, 60_000, 5000, 7, 300]);
    assert.deepEqual(timesOf(clusterOf({})), [3_600_000, 0, 0, 0, 100]);
  });

  test("has a retry budget in place of a number of retries, with Envoy's defaults", () => {
    const budgetOf = (budget: JsonObject) =>
      clusterOf({ circuit_breakers: { thresholds: [{ retry_budget: budget }] } }).circuitBreakers.default.retryBudget;
    assert.deepEqual(budgetOf({}), { percent: 20, minRetries: 3 });
    assert.deepEqual(budgetOf({ budget_percent: { value: 12.5 }, min_retry_concurrency: 1 }), { percent: 12.5, minRetries: 1 });
  });
});
