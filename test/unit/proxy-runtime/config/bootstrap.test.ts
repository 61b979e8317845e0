// Bootstraps: Envoy's own quick start is taken as it is; each mistake gives one message with file, line and field.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadBootstrap, parseBootstrap } from "../../../../src/proxy-runtime/config/bootstrap.ts";
import { UserError } from "../../../../src/common/user-error.ts";

const QUICK_START = `admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 9901}}
static_resources:
  listeners:
  - name: listener_0
    address:
      socket_address: {address: 0.0.0.0, port_value: 10000}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress_http
          access_log:
          - name: envoy.access_loggers.stdout
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            name: local_route
            virtual_hosts:
            - name: local_service
              domains: ["*"]
              routes:
              - match: {prefix: "/"}
                route:
                  host_rewrite_literal: www.envoyproxy.io
                  cluster: service_envoyproxy_io
  clusters:
  - name: service_envoyproxy_io
    type: LOGICAL_DNS
    dns_lookup_family: V4_ONLY
    load_assignment:
      cluster_name: service_envoyproxy_io
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: {address: www.envoyproxy.io, port_value: 443}
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: www.envoyproxy.io
`;

const DYNAMIC = `node: {id: n1, cluster: c1, metadata: {A: b}}
dynamic_resources:
  ads_config:
    api_type: GRPC
    transport_api_version: V3
    grpc_services: [{envoy_grpc: {cluster_name: xds}, initial_metadata: [{key: X-Token, value: t}]}]
  cds_config: {ads: {}, resource_api_version: V3}
  lds_config: {ads: {}, resource_api_version: V3}
static_resources:
  clusters:
  - name: xds
    type: STRICT_DNS
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: xds
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: control, port_value: 18000}}}}]}]
`;

async function refusal(text: string): Promise<string> {
  try {
    await parseBootstrap(text, "b.yaml");
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error.message;
  }
  return assert.fail("it was accepted");
}

describe("bootstraps", () => {
  test("Envoy's quick start is taken", async () => {
    const config = await parseBootstrap(QUICK_START, "b.yaml");
    assert.deepEqual(config.admin, { host: "127.0.0.1", port: 9901, accessLogs: [] });
    assert.equal(config.statics.clusters.get("service_envoyproxy_io")!.tls!.sni, "www.envoyproxy.io");
    assert.equal(config.statics.listeners.get("listener_0")!.address.port, 10000);
    assert.deepEqual(
      config.records.map(({ name, state }) => [name, state]),
      [
        ["service_envoyproxy_io", "static"],
        ["listener_0", "static"],
      ],
    );
    assert.equal(config.ads, undefined);
    structuredClone(config.statics);
  });

  test("an ADS bootstrap names the control plane", async () => {
    const config = await parseBootstrap(DYNAMIC, "b.yaml");
    assert.deepEqual(config.node, { id: "n1", cluster: "c1", locality: { region: "", zone: "", subZone: "" }, metadata: { A: "b" } });
    assert.deepEqual([config.cdsViaAds, config.ldsViaAds], [true, true]);
    assert.deepEqual(config.ads, {
      clusterName: "xds",
      address: { host: "control", port: 18000 },
      tls: undefined,
      metadata: { "x-token": "t" },
      connectTimeoutMs: 5000,
      rootsFile: undefined,
      tokenFile: undefined,
    });
  });

  test("JSON is taken as well, with camelCase names", async () => {
    const config = await parseBootstrap(JSON.stringify({ staticResources: { clusters: [{ name: "a", connectTimeout: "1s" }] } }), "b.json");
    assert.equal(config.statics.clusters.get("a")!.connectTimeoutMs, 1000);
  });

  const hcm = String.raw`static_resources\.listeners\[0\]\.filter_chains\[0\]\.filters\[0\]\.typed_config`;
  const cases: readonly (readonly [what: string, from: string, to: string, message: RegExp])[] = [
    ["a wrong type", "stat_prefix: ingress_http", "stat_prefix: 5", new RegExp(`^b.yaml:13: ${hcm}.stat_prefix: expected string, got 5$`)],
    [
      "an unknown field",
      "sni:",
      "snj:",
      /^b.yaml:47: static_resources.clusters\[0\].transport_socket.typed_config.snj: unknown field of .*UpstreamTlsContext$/,
    ],
    [
      "an unknown extension",
      "http.router.v3.Router",
      "http.cors.v3.Cors",
      new RegExp(`^b.yaml:20: ${hcm}.http_filters\\[0\\].typed_config: unknown extension .*cors.v3.Cors; meshctl supports .*Router`),
    ],
    [
      "an unknown enum value",
      "LOGICAL_DNS",
      "LOGICAL",
      /^b.yaml:34: static_resources.clusters\[0\].type: must be one of STATIC, .*, not "LOGICAL"$/,
    ],
    [
      "a port out of range",
      "port_value: 9901",
      "port_value: 99010",
      /^b.yaml:2: admin.address.socket_address.port_value: must be at most 65535/,
    ],
    ["a bad expression", '{prefix: "/"}', '{safe_regex: {regex: "a("}}', /^b.yaml:28: .*match.safe_regex.regex: not an RE2 expression/],
    [
      "a cluster that is not there",
      "cluster: service",
      "cluster: other",
      /no cluster "otherenvoyproxy_io|no cluster "other_envoyproxy_io"; add it/,
    ],
    [
      "what the proxy can't act on",
      "dns_lookup_family: V4_ONLY",
      "outlier_detection: {}",
      /^b.yaml:35: static_resources.clusters\[0\].outlier_detection: not supported$/,
    ],
    [
      "a duration without its unit",
      "dns_lookup_family: V4_ONLY",
      "connect_timeout: 5",
      /^b.yaml:35: .*connect_timeout: must be a duration in seconds such as "5s"/,
    ],
    [
      "a duration with more behind its unit",
      "dns_lookup_family: V4_ONLY",
      "connect_timeout: 5sec",
      /^b.yaml:35: .*connect_timeout: must be a duration in seconds such as "5s" or "0.25s", not "5sec"/,
    ],
    [
      "two members of one group",
      "type: LOGICAL_DNS",
      "type: LOGICAL_DNS\n    cluster_type: {name: x}",
      /only one of type, cluster_type may be set/,
    ],
    [
      "an Any without its type",
      '"@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
      "a: b",
      /access_log\[0\].typed_config.@type: missing/,
    ],
    ["what is no YAML", "admin:", "admin: [", /^b.yaml:\d+:\d+: not YAML: /],
  ];
  for (const [what, from, to, message] of cases) {
    test(`${what} is named with file, line and field`, async () => {
      assert.ok(QUICK_START.includes(from));
      assert.match(await refusal(QUICK_START.replace(from, to)), message);
    });
  }

  test("all mistakes are told at once", async () => {
    const message = await refusal(QUICK_START.replace("sni:", "snj:").replace("stat_prefix:", "stat_prefiks:").replace("V4_ONLY", "V5"));
    assert.match(message, /^3 problems in the bootstrap\n/);
    assert.deepEqual(message.match(/b\.yaml:\d+/g), ["b.yaml:13", "b.yaml:35", "b.yaml:47"]);
  });

  test("a control plane that can't be reached by the bootstrap is refused", async () => {
    assert.match(
      await refusal(DYNAMIC.replace("cluster_name: xds}", "cluster_name: nope}")),
      /ads_config.grpc_services\[0\].envoy_grpc.cluster_name: no static cluster "nope"|HTTP\/2 to upstream/,
    );
    assert.match(await refusal(DYNAMIC.replace("http2_protocol_options", "http_protocol_options")), /cluster "xds" must speak HTTP\/2/);
    assert.match(await refusal(DYNAMIC.replace("api_type: GRPC", "api_type: REST")), /api_type: not supported: only GRPC/);
    assert.match(await refusal(DYNAMIC.replace("id: n1, ", "")), /^b.yaml:1: node.id: missing/);
  });

  test("names within that point at nothing are refused", async () => {
    const tls = `"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n        common_tls_context: {validation_context_sds_secret_config: {name: ca}}`;
    const message = await refusal(
      QUICK_START.replace('"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', tls),
    );
    assert.match(message, /validation_context_sds_secret_config: no static secret "ca"; add it to static_resources.secrets/);
  });

  test("a missing file is named", async () => {
    await assert.rejects(loadBootstrap("/nowhere/b.yaml"), { message: "can't read bootstrap /nowhere/b.yaml: no such file" });
    assert.equal(await refusal(""), "bootstrap b.yaml is empty");
  });
});
