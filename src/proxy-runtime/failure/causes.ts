// The one table of failure: what went wrong → status, response flag, detail and whose fault it is. The local reply, the
// access log, the metrics and `x-mesh-error` all read it; a cause that has no row here does not exist.

/** Who is to blame, as every surface of meshctl names them. */
export type Blame = "client" | "client-sidecar" | "network" | "server-sidecar" | "server" | "control-plane" | "policy";

export interface Cause {
  /** Stable name for code and tests. */
  readonly name: string;
  /** Status of the local reply; 0 where no reply can be sent any more. */
  readonly httpStatus: number;
  readonly grpcStatus: number;
  /** Envoy's short response flag; `-` for none. */
  readonly flag: string;
  /** Envoy's %RESPONSE_CODE_DETAILS% without spaces. */
  readonly details: string;
  readonly blame: Blame;
  /** Where the upstream is another sidecar of the mesh, if somebody else is to blame then. */
  readonly blameInMesh: Blame | undefined;
  /** Where the failing sidecar is the server's own and its upstream the application. */
  readonly blameInbound: Blame | undefined;
  /** Body of the local reply: Envoy's text where it has one. */
  readonly body: string;
}

/** Where a failure was seen: by the client's sidecar on the way to another sidecar or to anything else, or by the server's. */
export type Vantage = "to-mesh" | "to-anything" | "inbound";

/** Who failed, seen from there. */
export function blameOf(failure: Cause, vantage: Vantage): Blame {
  if (vantage === "inbound") return failure.blameInbound ?? failure.blame;
  return vantage === "to-mesh" ? (failure.blameInMesh ?? failure.blame) : failure.blame;
}

type Elsewhere = { readonly inMesh?: Blame; readonly inbound?: Blame };

function cause(
  name: string,
  httpStatus: number,
  grpcStatus: number,
  flag: string,
  details: string,
  blame: Blame,
  body: string,
  elsewhere: Elsewhere = {},
): Cause {
  return { name, httpStatus, grpcStatus, flag, details, blame, blameInMesh: elsewhere.inMesh, blameInbound: elsewhere.inbound, body };
}

// A peer that is a sidecar answers for what happens between us and it; what its application does, it says itself.
const PEER: Elsewhere = { inMesh: "server-sidecar" };
const OURS: Elsewhere = { inbound: "server-sidecar" };

const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const UNAVAILABLE = 14;

const CONNECT = "upstream connect error or disconnect/reset before headers. reset reason: ";

export const Causes = {
  // The client's request is not HTTP as we accept it.
  badRequest: cause("badRequest", 400, INTERNAL, "DPE", "http1.codec_error", "client", "Bad Request"),
  headersTooLarge: cause("headersTooLarge", 431, INTERNAL, "DPE", "http1.headers_too_large", "client", "Request Header Fields Too Large"),
  tooManyHeaders: cause("tooManyHeaders", 431, INTERNAL, "DPE", "http1.too_many_headers", "client", "Request Header Fields Too Large"),
  badTransferEncoding: cause(
    "badTransferEncoding",
    501,
    UNIMPLEMENTED,
    "DPE",
    "http1.invalid_transfer_encoding",
    "client",
    "Not Implemented",
  ),
  contentLengthAndChunked: cause(
    "contentLengthAndChunked",
    400,
    INTERNAL,
    "DPE",
    "http1.content_length_and_chunked_not_allowed",
    "client",
    "Bad Request",
  ),
  missingHost: cause("missingHost", 400, INVALID_ARGUMENT, "-", "missing_host_header", "client", "Bad Request"),
  httpVersionNotSupported: cause("httpVersionNotSupported", 426, UNIMPLEMENTED, "DPE", "low_version", "client", "Upgrade Required"),
  connectRefused: cause("connectRefused", 403, UNIMPLEMENTED, "-", "connect_not_allowed", "client", ""),
  upgradeRefused: cause("upgradeRefused", 403, UNIMPLEMENTED, "-", "upgrade_failed", "client", ""),
  pathNormalizationFailed: cause("pathNormalizationFailed", 400, INVALID_ARGUMENT, "-", "path_normalization_failed", "client", ""),
  requestTimeout: cause("requestTimeout", 408, DEADLINE_EXCEEDED, "-", "request_overall_timeout", "client", "request timeout"),
  requestTimeoutMidway: cause("requestTimeoutMidway", 0, DEADLINE_EXCEEDED, "-", "request_overall_timeout", "client", ""),
  headersTimeout: cause("headersTimeout", 408, DEADLINE_EXCEEDED, "-", "request_header_timeout", "client", "request header timeout"),
  downstreamIdle: cause("downstreamIdle", 408, DEADLINE_EXCEEDED, "SI", "stream_idle_timeout", "client", "stream timeout"),
  downstreamDisconnect: cause("downstreamDisconnect", 0, UNAVAILABLE, "DC", "downstream_remote_disconnect", "client", ""),

  // Configuration has no place for the request.
  noRoute: cause("noRoute", 404, UNIMPLEMENTED, "NR", "route_not_found", "control-plane", ""),
  noFilterChain: cause("noFilterChain", 0, UNAVAILABLE, "NR", "filter_chain_not_found", "policy", ""),
  noCluster: cause("noCluster", 503, UNAVAILABLE, "NC", "cluster_not_found", "control-plane", ""),
  noHealthyUpstream: cause("noHealthyUpstream", 503, UNAVAILABLE, "UH", "no_healthy_upstream", "server", "no healthy upstream"),
  upstreamOverflow: cause("upstreamOverflow", 503, UNAVAILABLE, "UO", "overflow", "policy", `${CONNECT}overflow`),

  // The upstream could not be reached.
  connectFailure: cause(
    "connectFailure",
    503,
    UNAVAILABLE,
    "UF",
    "upstream_reset_before_response_started{remote_connection_failure}",
    "server",
    `${CONNECT}remote connection failure`,
    PEER,
  ),
  connectTimeout: cause(
    "connectTimeout",
    503,
    UNAVAILABLE,
    "UF",
    "upstream_reset_before_response_started{connection_timeout}",
    "network",
    `${CONNECT}connection timeout`,
    { inbound: "server" },
  ),
  tlsFailure: cause(
    "tlsFailure",
    503,
    UNAVAILABLE,
    "UF",
    "upstream_reset_before_response_started{remote_connection_failure|TLS_error}",
    "server-sidecar",
    `${CONNECT}remote connection failure, transport failure reason: TLS_error`,
    PEER,
  ),
  tlsPeerIdentity: cause(
    "tlsPeerIdentity",
    503,
    UNAVAILABLE,
    "UF",
    "upstream_reset_before_response_started{remote_connection_failure|TLS_error:_SAN_mismatch}",
    "policy",
    `${CONNECT}remote connection failure, transport failure reason: TLS_error: SAN matcher did not match`,
  ),
  noOwnCertificate: cause(
    "noOwnCertificate",
    503,
    UNAVAILABLE,
    "UF",
    "upstream_reset_before_response_started{local_connection_failure|TLS_error:_Secret_is_not_supplied_by_SDS}",
    "control-plane",
    `${CONNECT}local connection failure, transport failure reason: TLS_error: Secret is not supplied by SDS`,
  ),

  // The upstream was reached and then failed.
  // TLS 1.3: the client's handshake is over before the server has looked at its certificate.
  ownCertificateExpired: cause(
    "ownCertificateExpired",
    503,
    UNAVAILABLE,
    "UC",
    "upstream_reset_before_response_started{connection_termination|TLS_error:_own_certificate_expired}",
    "client-sidecar",
    `${CONNECT}connection termination, transport failure reason: TLS_error: own certificate expired`,
  ),
  upstreamClosed: cause(
    "upstreamClosed",
    503,
    UNAVAILABLE,
    "UC",
    "upstream_reset_before_response_started{connection_termination}",
    "server",
    `${CONNECT}connection termination`,
    PEER,
  ),
  upstreamClosedMidway: cause(
    "upstreamClosedMidway",
    0,
    UNAVAILABLE,
    "UC",
    "upstream_reset_after_response_started{connection_termination}",
    "server",
    "",
    PEER,
  ),
  upstreamReset: cause(
    "upstreamReset",
    503,
    UNAVAILABLE,
    "UR",
    "upstream_reset_before_response_started{remote_reset}",
    "server",
    `${CONNECT}remote reset`,
    PEER,
  ),
  upstreamProtocolError: cause(
    "upstreamProtocolError",
    502,
    UNAVAILABLE,
    "UPE",
    "upstream_reset_before_response_started{protocol_error}",
    "server",
    `${CONNECT}protocol error`,
    PEER,
  ),
  upstreamProtocolErrorMidway: cause(
    "upstreamProtocolErrorMidway",
    0,
    UNAVAILABLE,
    "UPE",
    "upstream_reset_after_response_started{protocol_error}",
    "server",
    "",
    PEER,
  ),
  upstreamTimeout: cause("upstreamTimeout", 504, DEADLINE_EXCEEDED, "UT", "response_timeout", "server", "upstream request timeout"),
  upstreamTimeoutMidway: cause("upstreamTimeoutMidway", 0, DEADLINE_EXCEEDED, "UT", "response_timeout", "server", ""),
  perTryTimeout: cause("perTryTimeout", 504, DEADLINE_EXCEEDED, "UT", "upstream_per_try_timeout", "server", "upstream request timeout"),
  streamIdle: cause("streamIdle", 504, DEADLINE_EXCEEDED, "SI", "stream_idle_timeout", "server", "stream timeout"),
  streamIdleMidway: cause("streamIdleMidway", 0, DEADLINE_EXCEEDED, "SI", "stream_idle_timeout", "server", ""),

  // This sidecar itself.
  draining: cause("draining", 503, UNAVAILABLE, "LR", "drain_time_completed", "client-sidecar", "connection draining", OURS),
  internalError: cause("internalError", 500, INTERNAL, "LR", "internal_error", "client-sidecar", "internal error", OURS),
} as const satisfies Record<string, Cause>;
