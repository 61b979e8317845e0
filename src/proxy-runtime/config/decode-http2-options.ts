// Http2ProtocolOptions, of a connection manager or of a cluster → Http2Config.
import type { Http2ProtocolOptions, KeepaliveSettings } from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import { Http2ProtocolOptionsSchema, KeepaliveSettingsSchema } from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import { durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { Http2Config } from "./http2-config.ts";
import { DEFAULT_HTTP2 } from "./http2-config.ts";

const OPTIONS = fieldRules(
  Http2ProtocolOptionsSchema,
  [
    "hpack_table_size",
    "max_concurrent_streams",
    "initial_stream_window_size",
    "initial_connection_window_size",
    "allow_connect",
    "max_outbound_frames",
    "max_outbound_control_frames",
    "max_consecutive_inbound_frames_with_empty_payload",
    "max_inbound_priority_frames_per_stream",
    "max_inbound_window_update_frames_per_data_frame_sent",
    "stream_error_on_invalid_http_messaging",
    "override_stream_error_on_invalid_http_message",
    "connection_keepalive",
  ],
  { use_oghttp2_codec: "there is one codec" },
);
const KEEPALIVE = fieldRules(KeepaliveSettingsSchema, ["interval", "timeout", "interval_jitter", "connection_idle_interval"]);

// RFC 9113 §6.5.2 and §6.9.1; Envoy takes no window below the protocol's own.
const MAX_31_BITS = 2_147_483_647;
const MIN_WINDOW_BYTES = 65_535;
// A decoder must hold what it announces for every connection, and the field goes up to 4 GB.
const MAX_HPACK_TABLE_BYTES = 1_048_576;

/** @param managerStreamError what the connection manager says of invalid messages, for both versions of HTTP. */
export function decodeHttp2(
  decoding: Decoding,
  options: Http2ProtocolOptions | undefined,
  path: string,
  managerStreamError: boolean | undefined = undefined,
): Http2Config {
  if (options === undefined) return { ...DEFAULT_HTTP2, streamErrorOnInvalidMessage: managerStreamError ?? false };
  decoding.check(OPTIONS, options, path);
  const count = (value: number | undefined, field: string, fallback: number, min = 1, max = 0xffff_ffff): number => {
    if (value !== undefined && (value < min || value > max)) {
      decoding.problem(join(path, field), max === 0xffff_ffff ? `must be at least ${min}` : `must be ${min} to ${max}, not ${value}`);
    }
    return value ?? fallback;
  };
  const window = (value: number | undefined, field: string): number | undefined =>
    value === undefined ? undefined : count(value, field, 0, MIN_WINDOW_BYTES, MAX_31_BITS);
  const defaults = DEFAULT_HTTP2;
  return {
    hpackTableBytes: count(options.hpackTableSize, "hpack_table_size", defaults.hpackTableBytes, 0, MAX_HPACK_TABLE_BYTES),
    maxConcurrentStreams: count(options.maxConcurrentStreams, "max_concurrent_streams", defaults.maxConcurrentStreams, 1, MAX_31_BITS),
    initialStreamWindowBytes: window(options.initialStreamWindowSize, "initial_stream_window_size"),
    initialConnectionWindowBytes: window(options.initialConnectionWindowSize, "initial_connection_window_size"),
    allowConnect: options.allowConnect,
    ...decodeKeepalive(decoding, options.connectionKeepalive, join(path, "connection_keepalive")),
    maxOutboundFrames: count(options.maxOutboundFrames, "max_outbound_frames", defaults.maxOutboundFrames),
    maxOutboundControlFrames: count(options.maxOutboundControlFrames, "max_outbound_control_frames", defaults.maxOutboundControlFrames),
    maxConsecutiveEmptyFrames: options.maxConsecutiveInboundFramesWithEmptyPayload ?? defaults.maxConsecutiveEmptyFrames,
    maxPriorityFramesPerStream: options.maxInboundPriorityFramesPerStream ?? defaults.maxPriorityFramesPerStream,
    maxWindowUpdateFramesPerDataFrame: count(
      options.maxInboundWindowUpdateFramesPerDataFrameSent,
      "max_inbound_window_update_frames_per_data_frame_sent",
      defaults.maxWindowUpdateFramesPerDataFrame,
    ),
    // The deprecated field counts only where neither of the others is set.
    streamErrorOnInvalidMessage:
      options.overrideStreamErrorOnInvalidHttpMessage ?? managerStreamError ?? options.streamErrorOnInvalidHttpMessaging,
  };
}

type Keepalive = Pick<Http2Config, "keepaliveIntervalMs" | "keepaliveJitterPercent" | "keepaliveTimeoutMs" | "connectionIdleIntervalMs">;

function decodeKeepalive(decoding: Decoding, keepalive: KeepaliveSettings | undefined, path: string): Keepalive {
  const { keepaliveIntervalMs, keepaliveJitterPercent, keepaliveTimeoutMs, connectionIdleIntervalMs } = DEFAULT_HTTP2;
  if (keepalive === undefined) return { keepaliveIntervalMs, keepaliveJitterPercent, keepaliveTimeoutMs, connectionIdleIntervalMs };
  decoding.check(KEEPALIVE, keepalive, path);
  const timeout = durationMs(decoding, keepalive.timeout, join(path, "timeout"), 0);
  if (timeout === 0) decoding.problem(join(path, "timeout"), keepalive.timeout === undefined ? "missing" : "must be above 0");
  const jitter = keepalive.intervalJitter?.value ?? keepaliveJitterPercent;
  if (!(jitter >= 0 && jitter <= 100)) decoding.problem(join(path, "interval_jitter"), `must be 0 to 100 percent, not ${jitter}`);
  return {
    keepaliveJitterPercent: jitter,
    keepaliveIntervalMs: durationMs(decoding, keepalive.interval, join(path, "interval"), 0),
    keepaliveTimeoutMs: timeout,
    connectionIdleIntervalMs: durationMs(decoding, keepalive.connectionIdleInterval, join(path, "connection_idle_interval"), 0),
  };
}
