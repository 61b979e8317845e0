// HTTP/2 in clusters and connection managers: who speaks it, with which limits, and what is refused.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Result } from "../../../../src/common/result.ts";
import type { ClusterConfig } from "../../../../src/proxy-runtime/config/cluster-config.ts";
import { decodeCluster } from "../../../../src/proxy-runtime/config/decode-cluster.ts";
import { decodeListener } from "../../../../src/proxy-runtime/config/decode-listener.ts";
import type { Decoded } from "../../../../src/proxy-runtime/config/decoding.ts";
import { DEFAULT_HTTP2 } from "../../../../src/proxy-runtime/config/http2-config.ts";
import type { HttpConnectionManagerConfig } from "../../../../src/proxy-runtime/config/listener-config.ts";
import { any, cluster, httpListener, listener, routeTo } from "../../../support/xds-resources.ts";

const OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const TLS = {
  transport_socket: { name: "tls", typed_config: any("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {}) },
};

function value<T>(result: Result<Decoded<T>>): T {
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.problems));
  return result.value.value;
}

function problems(result: Result<unknown>): string[] {
  assert.equal(result.ok, false, "it was accepted");
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
}

const decodeWith = (options: JsonObject, more: JsonObject = {}): ReturnType<typeof decodeCluster> =>
  decodeCluster(cluster({ name: "a", typed_extension_protocol_options: { [OPTIONS]: any(OPTIONS, options) }, ...more }));

const explicit = (http2: JsonObject): ReturnType<typeof decodeCluster> =>
  decodeWith({ explicit_http_config: { http2_protocol_options: http2 } });

describe("clusters", () => {
  const spoken: readonly [string, Result<Decoded<ClusterConfig>>, ClusterConfig["protocol"]][] = [
    ["explicitly", explicit({ max_concurrent_streams: 7 }), "http2"],
    [
      "as the client does",
      decodeWith({ use_downstream_protocol_config: { http2_protocol_options: { max_concurrent_streams: 7 } } }),
      "downstream",
    ],
    ["as ALPN answers", decodeWith({ auto_config: { http2_protocol_options: { max_concurrent_streams: 7 } } }, TLS), "auto"],
    ["by the older field", decodeCluster(cluster({ name: "a", http2_protocol_options: { max_concurrent_streams: 7 } })), "http2"],
    [
      "by the older field as the client does",
      decodeCluster(
        cluster({ name: "a", http2_protocol_options: { max_concurrent_streams: 7 }, protocol_selection: "USE_DOWNSTREAM_PROTOCOL" }),
      ),
      "downstream",
    ],
  ];
  for (const [how, decoded, protocol] of spoken) {
    test(`speak HTTP/2 ${how}, with its options`, () => {
      assert.equal(value(decoded).protocol, protocol);
      assert.deepEqual(value(decoded).http2, { ...DEFAULT_HTTP2, maxConcurrentStreams: 7 });
    });
  }

  test("take every limit of HTTP/2", () => {
    const options = {
      hpack_table_size: 0,
      max_concurrent_streams: 100,
      initial_stream_window_size: 65_535,
      initial_connection_window_size: 1_048_576,
      allow_connect: true,
      max_outbound_frames: 1,
      max_outbound_control_frames: 2,
      max_consecutive_inbound_frames_with_empty_payload: 0,
      max_inbound_priority_frames_per_stream: 0,
      max_inbound_window_update_frames_per_data_frame_sent: 3,
      override_stream_error_on_invalid_http_message: true,
      connection_keepalive: { interval: "30s", interval_jitter: { value: 20 }, timeout: "5s", connection_idle_interval: "0.25s" },
    };
    assert.deepEqual(value(explicit(options)).http2, {
      hpackTableBytes: 0,
      maxConcurrentStreams: 100,
      initialStreamWindowBytes: 65_535,
      initialConnectionWindowBytes: 1_048_576,
      allowConnect: true,
      keepaliveIntervalMs: 30_000,
      keepaliveJitterPercent: 20,
      keepaliveTimeoutMs: 5000,
      connectionIdleIntervalMs: 250,
      maxOutboundFrames: 1,
      maxOutboundControlFrames: 2,
      maxConsecutiveEmptyFrames: 0,
      maxPriorityFramesPerStream: 0,
      maxWindowUpdateFramesPerDataFrame: 3,
      streamErrorOnInvalidMessage: true,
    });
  });

  const at = String.raw`^typed_extension_protocol_options\["${OPTIONS.replaceAll(".", "\\.")}"\]\.explicit_http_config\.http2_protocol_options\.`;
  const refused: readonly [string, JsonObject, string][] = [
    ["a setting of its own", { custom_settings_parameters: [{ identifier: 9, value: 1 }] }, "custom_settings_parameters: not supported"],
    ["METADATA frames", { allow_metadata: true }, "allow_metadata: not supported"],
    ["no stream at all", { max_concurrent_streams: 0 }, "max_concurrent_streams: must be 1 to 2147483647, not 0"],
    ["a window below the protocol's", { initial_stream_window_size: 65_534 }, "initial_stream_window_size: must be 65535 to 2147483647"],
    ["a window beyond 31 bits", { initial_connection_window_size: 2_147_483_648 }, "initial_connection_window_size: must be 65535 to"],
    ["a huge header table", { hpack_table_size: 4_294_967_295 }, "hpack_table_size: must be 0 to 1048576"],
    ["no room for a frame", { max_outbound_frames: 0 }, "max_outbound_frames: must be at least 1"],
    ["a PING without a time to answer", { connection_keepalive: { interval: "1s" } }, "connection_keepalive.timeout: missing"],
    [
      "a jitter beyond the whole",
      { connection_keepalive: { timeout: "1s", interval_jitter: { value: 101 } } },
      "connection_keepalive.interval_jitter: must be 0 to 100 percent, not 101",
    ],
  ];
  for (const [what, options, problem] of refused) {
    test(`refuse ${what}`, () => {
      const found = problems(explicit(options));
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0]!, new RegExp(at + problem));
    });
  }

  test("refuse to ask ALPN where an endpoint has no TLS", () => {
    const plain = { name: "plain", match: {} };
    for (const sockets of [{}, { ...TLS, transport_socket_matches: [plain] }]) {
      assert.deepEqual(problems(decodeWith({ auto_config: {} }, sockets)), [
        "typed_extension_protocol_options: auto_config needs TLS in every transport socket of the cluster",
      ]);
    }
  });
});

describe("connection managers", () => {
  const routes = { route_config: routeTo("inline", "a") };
  const decode = (manager: JsonObject): ReturnType<typeof decodeListener> =>
    decodeListener(listener(httpListener("l", { ...routes, ...manager })));
  const managerOf = (manager: JsonObject): HttpConnectionManagerConfig => {
    const { filter } = value(decode(manager)).filterChains[0]!;
    assert.equal(filter.kind, "http");
    return filter;
  };

  test("have Envoy's defaults, and take what is said", () => {
    const unsaid = managerOf({});
    assert.deepEqual([unsaid.codec, unsaid.drainTimeoutMs, unsaid.http2], ["auto", 5000, DEFAULT_HTTP2]);
    const said = managerOf({ codec_type: "HTTP2", drain_timeout: "2s", http2_protocol_options: { allow_connect: true } });
    assert.deepEqual([said.codec, said.drainTimeoutMs, said.http2], ["http2", 2000, { ...DEFAULT_HTTP2, allowConnect: true }]);
    assert.equal(managerOf({ codec_type: "HTTP1" }).codec, "http1");
  });

  test("end the stream of an invalid message alone, by the most specific field that says so", () => {
    const ends = (manager: JsonObject): boolean => managerOf(manager).http2.streamErrorOnInvalidMessage;
    const codec = { codec_type: "HTTP2" };
    assert.equal(ends({ ...codec, stream_error_on_invalid_http_message: true }), true);
    assert.equal(
      ends({
        ...codec,
        stream_error_on_invalid_http_message: true,
        http2_protocol_options: { override_stream_error_on_invalid_http_message: false },
      }),
      false,
    );
    assert.equal(
      ends({ stream_error_on_invalid_http_message: false, http2_protocol_options: { stream_error_on_invalid_http_messaging: true } }),
      false,
    );
    assert.equal(ends({ http2_protocol_options: { stream_error_on_invalid_http_messaging: true } }), true);
  });

  test("refuse to keep an HTTP/1 connection that broke the protocol", () => {
    const found = problems(decode({ stream_error_on_invalid_http_message: true }));
    assert.match(
      found.join("\n"),
      /^filter_chains\[0\]\..*stream_error_on_invalid_http_message: not supported: an invalid HTTP\/1 message/,
    );
  });

  test("are plain data, so that another thread can have them", () => {
    const config = managerOf({ http2_protocol_options: { initial_stream_window_size: 100_000 } });
    assert.deepEqual(structuredClone(config), config);
  });
});
