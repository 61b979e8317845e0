// What each decoder refuses and with which words; what it takes and what it makes of it. Messages name the field.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Result } from "../../../../src/common/result.ts";
import { decodeCluster } from "../../../../src/proxy-runtime/config/decode-cluster.ts";
import { decodeEndpoints } from "../../../../src/proxy-runtime/config/decode-endpoints.ts";
import { decodeListener } from "../../../../src/proxy-runtime/config/decode-listener.ts";
import { decodeRoute } from "../../../../src/proxy-runtime/config/decode-route.ts";
import type { Decoded } from "../../../../src/proxy-runtime/config/decoding.ts";
import { ALL_PORTS } from "../../../../src/proxy-runtime/config/port-ranges.ts";
import { DEFAULT_HTTP2 } from "../../../../src/proxy-runtime/config/http2-config.ts";
import {
  any,
  ADS,
  assignment,
  cluster,
  connectionManager,
  edsCluster,
  endpoints,
  httpListener,
  listener,
  route,
  ROUTER,
  routeTo,
} from "../../../support/xds-resources.ts";

function value<T>(result: Result<Decoded<T>>): T {
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.problems));
  return result.value.value;
}

function lines(result: Result<unknown>): string[] {
  assert.equal(result.ok, false, "it was accepted");
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
}

type Refusal = readonly [what: string, json: JsonObject, problem: RegExp];

function refuses(decode: (json: JsonObject) => Result<unknown>, cases: readonly Refusal[]): void {
  for (const [what, json, problem] of cases) {
    test(`refuses ${what}`, () => {
      const problems = lines(decode(json));
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.match(problems[0]!, problem);
    });
  }
}

describe("clusters", () => {
  const decode = (json: JsonObject): ReturnType<typeof decodeCluster> => decodeCluster(cluster(json));
  test("have Envoy's defaults", () => {
    const { circuitBreakers, ...config } = value(decode({ name: "a" }));
    assert.deepEqual(circuitBreakers.default, {
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      maxRetries: 3,
      retryBudget: undefined,
    });
    assert.deepEqual(
      { ...config },
      {
        name: "a",
        statName: "a",
        type: "static",
        edsServiceName: "",
        staticEndpoints: undefined,
        connectTimeoutMs: 5000,
        lbPolicy: "round_robin",
        leastRequestChoices: 2,
        panicThreshold: 50,
        transportSocketMatches: [],
        tls: undefined,
        protocol: "http1",
        http2: DEFAULT_HTTP2,
        idleTimeoutMs: 3_600_000,
        maxRequestsPerConnection: 0,
        maxConnectionDurationMs: 0,
        maxStreamDurationMs: 0,
        maxResponseHeaders: 100,
        bindSourceAddresses: [],
        tcpKeepalive: undefined,
        originalDstPort: undefined,
        dnsRefreshMs: 5000,
        dnsLookupFamily: "auto",
        destinationRule: undefined,
        service: undefined,
      },
    );
  });

  test("tell people where they come from", () => {
    const config = "/apis/networking.istio.io/v1/namespaces/shop/destination-rule/payments";
    const istio = { config, services: [{ host: "p.shop.svc.cluster.local", name: "p", namespace: "shop" }] };
    const decoded = value(decode(edsCluster("a", { metadata: { filter_metadata: { istio } } })));
    assert.equal(decoded.destinationRule, "payments.shop");
    assert.deepEqual(decoded.service, { host: "p.shop.svc.cluster.local", name: "p", namespace: "shop" });
  });

  test("choose TLS by what an endpoint says of itself", () => {
    const sds = {
      name: "default",
      sds_config: { api_config_source: { api_type: "GRPC", grpc_services: [{ envoy_grpc: { cluster_name: "sds-grpc" } }] } },
    };
    const tls = any("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
      sni: "outbound_.80_._.a",
      common_tls_context: {
        alpn_protocols: ["istio-http/1.1", "istio"],
        tls_params: { tls_minimum_protocol_version: "TLSv1_3" },
        tls_certificate_sds_secret_configs: [sds],
        combined_validation_context: {
          default_validation_context: { match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: "spiffe://a" } }] },
          validation_context_sds_secret_config: { ...sds, name: "ROOTCA" },
        },
      },
    });
    const raw = any("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer");
    const result = decode(
      edsCluster("a", {
        transport_socket_matches: [
          { name: "mesh", match: { tlsMode: "istio" }, transport_socket: { name: "tls", typed_config: tls } },
          { name: "plain", match: {}, transport_socket: { name: "raw", typed_config: raw } },
        ],
      }),
    );
    const [mesh, plain] = value(result).transportSocketMatches;
    assert.deepEqual(mesh, {
      name: "mesh",
      match: { tlsMode: "istio" },
      tls: {
        certificateSecret: "default",
        validationSecret: "ROOTCA",
        sanMatches: [{ type: "uri", match: { kind: "exact", value: "spiffe://a", ignoreCase: false } }],
        alpn: ["istio-http/1.1", "istio"],
        minVersion: "TLSv1.3",
        maxVersion: "TLSv1.3",
        cipherSuites: [],
        sni: "outbound_.80_._.a",
      },
    });
    assert.deepEqual(plain, { name: "plain", match: {}, tls: undefined });
    assert.deepEqual(result.ok && result.value.references.secrets.map(({ name, source }) => `${source} ${name}`), [
      "identity ROOTCA",
      "identity default",
    ]);
  });

  test("bind to one address of each family", () => {
    const bind = {
      source_address: { address: "127.0.0.6", port_value: 0 },
      extra_source_addresses: [{ address: { address: "::6", port_value: 0 } }],
    };
    assert.deepEqual(value(decode({ name: "a", upstream_bind_config: bind })).bindSourceAddresses, ["127.0.0.6", "::6"]);
  });

  test("report every problem at once", () => {
    assert.deepEqual(
      lines(decode({ type: "EDS", connect_timeout: "0s", outlier_detection: {}, health_checks: [{}], lb_policy: "RING_HASH" })),
      [
        "health_checks: not supported",
        "outlier_detection: not supported",
        "name: missing",
        "connect_timeout: must be above 0",
        "eds_cluster_config: missing; a cluster of type EDS needs it",
        "lb_policy: not supported: RING_HASH; use ROUND_ROBIN, LEAST_REQUEST or RANDOM",
      ],
    );
  });

  refuses(decode, [
    [
      "a custom cluster type",
      { name: "a", cluster_type: { name: "envoy.clusters.aggregate" } },
      /^cluster_type: unknown extension envoy.clusters.aggregate/,
    ],
    [
      "endpoints from elsewhere",
      { name: "a", type: "EDS", eds_cluster_config: { eds_config: { path: "/x" } } },
      /^eds_cluster_config.eds_config: not supported: only ads/,
    ],
    [
      "CLUSTER_PROVIDED where nothing provides",
      { name: "a", lb_policy: "CLUSTER_PROVIDED" },
      /^lb_policy: CLUSTER_PROVIDED is for clusters of type ORIGINAL_DST/,
    ],
    [
      "a name where an address is needed",
      { name: "a", load_assignment: assignment("a", "example.com") },
      /^load_assignment.endpoints\[0\].lb_endpoints\[0\].endpoint.address.socket_address.address: must be an IP address, not "example.com"/,
    ],
    [
      "a bound port",
      { name: "a", upstream_bind_config: { source_address: { address: "127.0.0.1", port_value: 5 } } },
      /^upstream_bind_config.source_address.port_value: not supported: only 0/,
    ],
    [
      "an unknown transport socket",
      { name: "a", transport_socket: { name: "quic" } },
      /^transport_socket.typed_config: missing; meshctl supports/,
    ],
    [
      "names without roots",
      {
        name: "a",
        transport_socket: {
          name: "t",
          typed_config: any("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
            common_tls_context: { validation_context: { match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "a" } }] } },
          }),
        },
      },
      /validation_context.trusted_ca: missing; names in a certificate prove nothing/,
    ],
    [
      "an unknown cipher",
      {
        name: "a",
        transport_socket: {
          name: "t",
          typed_config: any("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
            common_tls_context: { tls_params: { cipher_suites: ["ROT13"] } },
          }),
        },
      },
      /tls_params.cipher_suites: unknown cipher suite "ROT13"/,
    ],
    [
      "two endpoints of a logical name",
      { name: "a", type: "LOGICAL_DNS", load_assignment: assignment("a", "x", "y") },
      /^load_assignment: a cluster of type LOGICAL_DNS needs exactly one endpoint, not 2/,
    ],
  ]);
});

describe("endpoints", () => {
  const decode = (json: JsonObject): ReturnType<typeof decodeEndpoints> => decodeEndpoints(endpoints(json));

  test("carry health, weight, locality and what they say of themselves", () => {
    const endpoint = { address: { socket_address: { address: "fd00::1", port_value: 80 } } };
    const metadata = { filter_metadata: { "envoy.transport_socket_match": { tlsMode: "istio" }, istio: { workload: "a;shop;a;v1;c" } } };
    const config = value(
      decode({
        cluster_name: "a",
        endpoints: [
          {
            locality: { region: "eu", zone: "z" },
            priority: 1,
            load_balancing_weight: 3,
            lb_endpoints: [{ endpoint, health_status: "DRAINING", load_balancing_weight: 7, metadata }],
          },
        ],
      }),
    );
    assert.deepEqual(config, {
      name: "a",
      overprovisioningFactor: 140,
      localities: [
        {
          region: "eu",
          zone: "z",
          subZone: "",
          priority: 1,
          weight: 3,
          endpoints: [
            {
              address: "fd00::1",
              port: 80,
              hostname: "",
              weight: 7,
              health: "draining",
              transportSocketMatch: { tlsMode: "istio" },
              workload: "a;shop;a;v1;c",
            },
          ],
        },
      ],
    });
  });

  refuses(decode, [
    ["drop overload", { cluster_name: "a", policy: { drop_overloads: [{ category: "x" }] } }, /^policy.drop_overloads: not supported/],
    ["a missing name", {}, /^cluster_name: missing/],
    [
      "a weight of zero",
      {
        cluster_name: "a",
        endpoints: [
          {
            lb_endpoints: [{ endpoint: { address: { socket_address: { address: "1.2.3.4", port_value: 1 } } }, load_balancing_weight: 0 }],
          },
        ],
      },
      /load_balancing_weight: must be at least 1/,
    ],
    [
      "a pipe",
      { cluster_name: "a", endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: "/x" } } } }] }] },
      /endpoint.address.pipe: not supported: only socket_address/,
    ],
  ]);
});

describe("routes", () => {
  const decode = (json: JsonObject): ReturnType<typeof decodeRoute> => decodeRoute(route(json));
  const withRoute = (entry: JsonObject): JsonObject => ({
    name: "r",
    virtual_hosts: [{ name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, ...entry }] }],
  });
  const actionOf = (entry: JsonObject) => value(decode(withRoute(entry))).virtualHosts[0]!.routes[0]!;

  test("have Envoy's defaults", () => {
    const { action, match } = actionOf({ route: { cluster: "a" } });
    assert.deepEqual(match, { path: { kind: "prefix", value: "/", caseSensitive: true }, headers: [], query: [], grpcOnly: false });
    assert.deepEqual(action, {
      kind: "route",
      clusters: [{ cluster: "a", weight: 1, requestHeaders: { set: [], remove: [] }, responseHeaders: { set: [], remove: [] } }],
      timeoutMs: 15_000,
      grpcDeadline: undefined,
      maxStreamDurationMs: undefined,
      idleTimeoutMs: undefined,
      retry: undefined,
      upgrades: new Map(),
      terminatesConnect: false,
      prefixRewrite: undefined,
      hostRewrite: undefined,
      appendForwardedHost: false,
    });
  });

  test("take gRPC deadlines from max_stream_duration, which turns the timeout off, else from the older fields", () => {
    const timesOf = (fields: JsonObject): unknown[] => {
      const { action } = actionOf({ route: { cluster: "a", timeout: "3s", ...fields } });
      return action.kind === "route" ? [action.timeoutMs, action.grpcDeadline] : [];
    };
    const older = { max_grpc_timeout: "2s", grpc_timeout_offset: "0.1s" };
    assert.deepEqual(timesOf({ grpc_timeout_offset: "1s" }), [3000, undefined]);
    assert.deepEqual(timesOf(older), [3000, { replaces: "timeout", maxMs: 2000, offsetMs: 100 }]);
    assert.deepEqual(timesOf({ ...older, max_stream_duration: {} }), [0, undefined]);
    const newer = { grpc_timeout_header_max: "0s", grpc_timeout_header_offset: "0.2s" };
    assert.deepEqual(timesOf({ ...older, max_stream_duration: newer }), [0, { replaces: "duration", maxMs: 0, offsetMs: 200 }]);
  });

  test("take a virtual host's retry policy where they have none of their own", () => {
    const retry = {
      retry_on: "connect-failure,refused-stream",
      num_retries: 2,
      retry_host_predicate: [{ name: "p", typed_config: any("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate") }],
      host_selection_retry_max_attempts: 5,
    };
    const routes: JsonObject[] = [
      { match: { prefix: "/own" }, route: { cluster: "a", retry_policy: { retry_on: "5xx" } } },
      { match: { prefix: "/" }, route: { cluster: "a" } },
    ];
    const host = value(decode({ name: "r", virtual_hosts: [{ name: "v", domains: ["*"], retry_policy: retry, routes }] })).virtualHosts[0]!;
    const policies = host.routes.map(({ action }) => (action.kind === "route" ? action.retry : undefined));
    assert.deepEqual(policies[0], {
      retryOn: ["5xx"],
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
    });
    assert.deepEqual(
      [policies[1]!.retryOn, policies[1]!.numRetries, policies[1]!.avoidPreviousHostsAttempts],
      [["connect-failure", "refused-stream"], 2, 5],
    );
  });

  test("know the VirtualService that they come from", () => {
    const istio = { config: "/apis/networking.istio.io/v1/namespaces/shop/virtual-service/payments" };
    assert.equal(actionOf({ route: { cluster: "a" }, metadata: { filter_metadata: { istio } } }).virtualService, "payments.shop");
  });

  test("redirect and answer by themselves", () => {
    assert.deepEqual(
      actionOf({ redirect: { https_redirect: true, port_redirect: 8443, response_code: "PERMANENT_REDIRECT", strip_query: true } }).action,
      {
        kind: "redirect",
        status: 308,
        scheme: "https",
        host: undefined,
        port: 8443,
        path: undefined,
        prefixRewrite: undefined,
        stripQuery: true,
      },
    );
    assert.deepEqual(actionOf({ direct_response: { status: 503, body: { inline_string: "no" } } }).action, {
      kind: "direct_response",
      status: 503,
      body: "no",
    });
  });

  test("edit headers, without the empty ones that Envoy does not add", () => {
    const edits: JsonObject = {
      request_headers_to_add: [
        { header: { key: "X-A", value: "%PROTOCOL% 100%%" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
        { header: { key: "x-b" } },
      ],
      response_headers_to_remove: ["Server"],
    };
    const entry = actionOf({ route: { cluster: "a" }, ...edits });
    assert.deepEqual(entry.requestHeaders, {
      set: [{ name: "X-A", value: "%PROTOCOL% 100%%", action: "overwrite_if_exists_or_add" }],
      remove: [],
    });
    assert.deepEqual(entry.responseHeaders, { set: [], remove: ["server"] });
  });

  test("match headers in all of Envoy's ways", () => {
    const headers: JsonObject[] = [
      { name: "A", exact_match: "x" },
      { name: "b", present_match: false },
      { name: "c", range_match: { start: 1, end: 5 } },
      { name: "d", string_match: { safe_regex: { regex: "a.*" } }, invert_match: true },
    ];
    const match = actionOf({ match: { prefix: "/", headers }, route: { cluster: "a" } }).match.headers;
    assert.deepEqual(
      match.map((each) => [each.name, each.match?.kind, each.range?.end, each.invert]),
      [
        ["a", "exact", undefined, false],
        ["b", undefined, undefined, true],
        ["c", undefined, 5, false],
        ["d", "regex", undefined, true],
      ],
    );
  });

  const at = String.raw`^virtual_hosts\[0\]\.routes\[0\]\.`;
  refuses(decode, [
    [
      "a bad expression",
      withRoute({ match: { safe_regex: { regex: "a(" } }, route: { cluster: "a" } }),
      new RegExp(`${at}match.safe_regex.regex: not an RE2 expression`),
    ],
    [
      "an expression that only backtracking can match",
      withRoute({ match: { safe_regex: { regex: "(a)\\1" } }, route: { cluster: "a" } }),
      /not an RE2 expression/,
    ],
    [
      "weights that sum to nothing",
      withRoute({ route: { weighted_clusters: { clusters: [{ name: "a", weight: 0 }] } } }),
      new RegExp(`${at}route.weighted_clusters.clusters: the sum of the weights must be above 0`),
    ],
    [
      "mirroring",
      withRoute({ route: { cluster: "a", request_mirror_policies: [{ cluster: "b" }] } }),
      new RegExp(`${at}route.request_mirror_policies: not supported`),
    ],
    ["no action", withRoute({}), /needs one of route, redirect, direct_response/],
    [
      "a fraction of requests",
      withRoute({ match: { prefix: "/", runtime_fraction: { default_value: { numerator: 5 } } }, route: { cluster: "a" } }),
      new RegExp(`${at}match.runtime_fraction: not supported: less than 100 percent`),
    ],
    [
      "per-filter configuration",
      withRoute({ route: { cluster: "a" }, typed_per_filter_config: { x: any("envoy.extensions.filters.http.router.v3.Router") } }),
      new RegExp(`${at}typed_per_filter_config: not supported`),
    ],
    [
      "an unknown command operator",
      withRoute({ route: { cluster: "a" }, request_headers_to_add: [{ header: { key: "x", value: "%NOPE%" } }] }),
      new RegExp(`${at}request_headers_to_add\\[0\\].header.value: .*NOPE`),
    ],
    [
      "a lone percent sign",
      withRoute({ route: { cluster: "a" }, request_headers_to_add: [{ header: { key: "x", value: "50%" } }] }),
      /percent sign/,
    ],
    [
      "a header that the codec owns",
      withRoute({ route: { cluster: "a" }, request_headers_to_add: [{ header: { key: ":path", value: "/x" } }] }),
      /:path may not be changed here/,
    ],
    [
      "a line break in a header",
      withRoute({ route: { cluster: "a" }, request_headers_to_add: [{ header: { key: "x", value: "a\r\nb: c" } }] }),
      /holds a control character/,
    ],
    [
      "a body over the limit",
      withRoute({ direct_response: { status: 200, body: { inline_string: "x".repeat(4097) } } }),
      /longer than max_direct_response_body_size_bytes \(4096\)/,
    ],
    [
      "a domain of two hosts",
      {
        name: "r",
        virtual_hosts: [
          { name: "v", domains: ["A.b"] },
          { name: "w", domains: ["a.b"] },
        ],
      },
      /^virtual_hosts\[1\].domains: "a.b" belongs to virtual host "v" already/,
    ],
    [
      "a wildcard in the middle",
      { name: "r", virtual_hosts: [{ name: "v", domains: ["a.*.b"] }] },
      /^virtual_hosts\[0\].domains\[0\]: not a domain: "a.\*.b"/,
    ],
  ]);
});

describe("listeners", () => {
  const decode = (json: JsonObject): ReturnType<typeof decodeListener> => decodeListener(listener(json));
  const routes = { route_config: routeTo("inline", "a") };
  const chain = (filter: JsonObject, more: JsonObject = {}): JsonObject => ({
    name: "l",
    address: { socket_address: { address: "127.0.0.1", port_value: 1 } },
    filter_chains: [{ filters: [{ name: "f", typed_config: filter }], ...more }],
  });
  const tcp = (more: JsonObject = {}): JsonObject =>
    any("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", { stat_prefix: "t", cluster: "a", ...more });
  const listenerFilter = (name: string, type: string): JsonObject => ({ name, typed_config: any(type) });

  test("report by the side that they are on", () => {
    for (const [direction, reporter] of [
      ["INBOUND", "destination"],
      ["OUTBOUND", "source"],
      ["UNSPECIFIED", undefined],
    ] as const) {
      assert.equal(value(decode({ ...chain(tcp()), traffic_direction: direction })).filterChains[0]!.filter.reporter, reporter);
    }
  });

  test("refer to routes that come over RDS", () => {
    const result = decode(httpListener("l", { rds: { config_source: ADS, route_config_name: "8080" } }));
    assert.deepEqual(result.ok && result.value.references.routes, ["8080"]);
  });

  test("capture: original destination, sniffing, chains", () => {
    const config = value(
      decode({
        ...chain(tcp(), {
          filter_chain_match: {
            destination_port: 80,
            transport_protocol: "tls",
            application_protocols: ["istio"],
            prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }],
          },
        }),
        use_original_dst: true,
        bind_to_port: false,
        listener_filters_timeout: "0.1s",
        continue_on_listener_filters_timeout: true,
        listener_filters: [
          listenerFilter("envoy.filters.listener.original_dst", "envoy.extensions.filters.listener.original_dst.v3.OriginalDst"),
          listenerFilter("envoy.filters.listener.http_inspector", "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"),
        ],
      }),
    );
    assert.deepEqual(
      [
        config.useOriginalDst,
        config.restoreOriginalDst,
        config.tlsInspectorPorts,
        config.httpInspectorPorts,
        config.bindToPort,
        config.listenerFiltersTimeoutMs,
        config.continueOnListenerFiltersTimeout,
      ],
      [true, true, ALL_PORTS, ALL_PORTS, false, 100, true],
    );
    assert.deepEqual(config.filterChains[0]!.match.destinationRanges, [{ address: "10.0.0.0", prefixLength: 8 }]);
  });

  test("drop HTTP filters that are optional and unknown", () => {
    const manager = { ...routes, http_filters: [{ name: "x", is_optional: true }, ROUTER] };
    assert.ok(decode(httpListener("l", manager)).ok);
  });

  test("write access logs where and how they are told", () => {
    const log = {
      name: "file",
      typed_config: any("envoy.extensions.access_loggers.file.v3.FileAccessLog", {
        path: "/tmp/log",
        log_format: { json_format: { code: "%RESPONSE_CODE%" } },
      }),
    };
    const { filter } = value(decode(httpListener("l", { ...routes, access_log: [log] }))).filterChains[0]!;
    assert.deepEqual(filter.accessLogs, [{ path: "/tmp/log", format: { kind: "json", json: { code: "%RESPONSE_CODE%" } } }]);
  });

  const filterAt = String.raw`^filter_chains\[0\]\.filters\[0\]\.typed_config`;
  refuses(decode, [
    [
      "an unknown network filter",
      chain(any("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer")),
      new RegExp(`${filterAt}: unknown extension .*RawBuffer; meshctl supports .*HttpConnectionManager and .*TcpProxy`),
    ],
    [
      "an unknown HTTP filter",
      httpListener("l", { ...routes, http_filters: [{ name: "envoy.filters.http.lua" }, ROUTER] }),
      new RegExp(`${filterAt}.http_filters\\[0\\]: unknown extension envoy.filters.http.lua`),
    ],
    ["no router", httpListener("l", { ...routes, http_filters: [] }), new RegExp(`${filterAt}.http_filters: must end in the router`)],
    ["HTTP/3", httpListener("l", { ...routes, codec_type: "HTTP3" }), new RegExp(`${filterAt}.codec_type: not supported: HTTP3`)],
    ["tracing", httpListener("l", { ...routes, tracing: {} }), new RegExp(`${filterAt}.tracing: not supported`)],
    [
      "proper case words",
      httpListener("l", { ...routes, http_protocol_options: { header_key_format: { proper_case_words: {} } } }),
      new RegExp(`${filterAt}.http_protocol_options.header_key_format: not supported`),
    ],
    ["tunnelling", chain(tcp({ tunneling_config: { hostname: "x" } })), new RegExp(`${filterAt}.tunneling_config: not supported`)],
    [
      "a UDP listener",
      { ...chain(tcp()), address: { socket_address: { protocol: "UDP", address: "127.0.0.1", port_value: 1 } } },
      /^address.socket_address.protocol: not supported: only TCP/,
    ],
    ["no chains", { name: "l", address: { socket_address: { address: "127.0.0.1", port_value: 1 } } }, /^filter_chains: must not be empty/],
    [
      "an unknown listener filter",
      { ...chain(tcp()), listener_filters: [{ name: "envoy.filters.listener.proxy_protocol" }] },
      /^listener_filters\[0\]: unknown extension envoy.filters.listener.proxy_protocol/,
    ],
    ["transparent sockets", { ...chain(tcp()), transparent: true }, /^transparent: not supported/],
    [
      "a server name with a star inside",
      chain(tcp(), { filter_chain_match: { server_names: ["a.*.b"] } }),
      /server_names\[0\]: use a whole name or \*.suffix/,
    ],
    [
      "an unknown access logger",
      httpListener("l", { ...routes, access_log: [{ name: "x", typed_config: any("envoy.extensions.filters.http.router.v3.Router") }] }),
      /access_log\[0\].typed_config: unknown extension/,
    ],
    [
      "an access log filter",
      httpListener("l", {
        ...routes,
        access_log: [
          { filter: { not_health_check_filter: {} }, typed_config: any("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog") },
        ],
      }),
      /access_log\[0\].filter: not supported/,
    ],
    [
      "an unknown operator in a log",
      httpListener("l", {
        ...routes,
        access_log: [
          {
            typed_config: any("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", {
              log_format: { text_format_source: { inline_string: "%NOPE%\n" } },
            }),
          },
        ],
      }),
      /log_format.text_format_source: .*NOPE/,
    ],
    [
      "TLS without a certificate",
      chain(tcp(), {
        transport_socket: { name: "t", typed_config: any("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {}) },
      }),
      /common_tls_context: a server needs tls_certificates/,
    ],
  ]);

  test("refuse two chains that take the same connections", () => {
    const filters = [{ typed_config: connectionManager(routes) }];
    const match = { destination_port: 80 };
    const problems = lines(
      decode({
        name: "l",
        address: { socket_address: { address: "::", port_value: 1 } },
        filter_chains: [
          { filters, filter_chain_match: match },
          { filters, filter_chain_match: match },
        ],
      }),
    );
    assert.deepEqual(problems, ["filter_chains[1].filter_chain_match: the same as that of filter_chains[0]"]);
  });
});
