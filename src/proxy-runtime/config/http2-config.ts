// What HTTP/2 on a connection may use and must bear, on either side of the proxy. Defaults are Envoy's.

export interface Http2Config {
  /** Dynamic table, ours to decode with and the most to encode with; default 4096, 0 none. */
  readonly hpackTableBytes: number;
  /** Streams that a peer may have open; upstream also those that we open on one connection. Default 1024, as Envoy's since 1.36. */
  readonly maxConcurrentStreams: number;
  /** Receive windows; undefined: the codec's own. */
  readonly initialStreamWindowBytes: number | undefined;
  readonly initialConnectionWindowBytes: number | undefined;
  /** Extended CONNECT (RFC 8441): upgrades ride a stream. */
  readonly allowConnect: boolean;
  /** Between PINGs; 0 none. */
  readonly keepaliveIntervalMs: number;
  /** Every interval is longer by up to this, at random, so that connections that were opened together part; default 15. */
  readonly keepaliveJitterPercent: number;
  /** A connection on which nothing came for this long after a PING is closed. */
  readonly keepaliveTimeoutMs: number;
  /** After this long without a frame a new stream is preceded by a PING; 0 never. */
  readonly connectionIdleIntervalMs: number;
  /** Frames waiting to be written; default 10000. */
  readonly maxOutboundFrames: number;
  /** Of these, PING, SETTINGS and RST_STREAM; default 1000. */
  readonly maxOutboundControlFrames: number;
  /** HEADERS, CONTINUATION and DATA in a row that carry nothing and end nothing; default 1. */
  readonly maxConsecutiveEmptyFrames: number;
  /** The connection ends above `this × (1 + streams opened)` PRIORITY frames; default 100. */
  readonly maxPriorityFramesPerStream: number;
  /** The connection ends above `5 + 2 × (streams opened + this × DATA frames sent)` WINDOW_UPDATE frames; default 10. */
  readonly maxWindowUpdateFramesPerDataFrame: number;
  /** A malformed message ends its stream only; default false: its connection. */
  readonly streamErrorOnInvalidMessage: boolean;
}

export const DEFAULT_HTTP2: Http2Config = {
  hpackTableBytes: 4096,
  maxConcurrentStreams: 1024,
  initialStreamWindowBytes: undefined,
  initialConnectionWindowBytes: undefined,
  allowConnect: false,
  keepaliveIntervalMs: 0,
  keepaliveJitterPercent: 15,
  keepaliveTimeoutMs: 0,
  connectionIdleIntervalMs: 0,
  maxOutboundFrames: 10_000,
  maxOutboundControlFrames: 1000,
  maxConsecutiveEmptyFrames: 1,
  maxPriorityFramesPerStream: 100,
  maxWindowUpdateFramesPerDataFrame: 10,
  streamErrorOnInvalidMessage: false,
};
