// Rows of the failure table for what a client does: requests that are not HTTP as we accept it, that come too slowly,
// are too large, or are given up.
import { Grpc, midway, named, row } from "./cause.ts";

export const ClientCauses = named({
  badRequest: row(400, Grpc.internal, "DPE", "http1.codec_error", "client", "Bad Request"),
  headersTooLarge: row(431, Grpc.resourceExhausted, "DPE", "http1.headers_too_large", "client", "Request Header Fields Too Large"),
  tooManyHeaders: row(431, Grpc.resourceExhausted, "DPE", "http1.too_many_headers", "client", "Request Header Fields Too Large"),
  badTransferEncoding: row(501, Grpc.unimplemented, "DPE", "http1.invalid_transfer_encoding", "client", "Not Implemented"),
  contentLengthAndChunked: row(400, Grpc.internal, "DPE", "http1.content_length_and_chunked_not_allowed", "client", "Bad Request"),
  httpVersionNotSupported: row(426, Grpc.unimplemented, "DPE", "low_version", "client", "Upgrade Required"),
  /** headers_with_underscores_action REJECT_REQUEST. */
  underscoreInHeader: row(400, Grpc.internal, "DPE", "unexpected_underscore", "client", "Bad Request"),
  missingHost: row(400, Grpc.internal, "-", "missing_host_header", "client", "Bad Request"),
  pathNormalizationFailed: row(400, Grpc.internal, "-", "path_normalization_failed", "client"),
  connectRefused: row(403, Grpc.permissionDenied, "-", "connect_not_allowed", "client"),
  upgradeRefused: row(403, Grpc.permissionDenied, "-", "upgrade_failed", "client"),

  /** More than a buffer filter's max_request_bytes. */
  payloadTooLarge: row(413, Grpc.resourceExhausted, "-", "request_payload_too_large", "client", "Payload Too Large"),

  // One stream of an HTTP/2 connection; the others go on.
  http2Malformed: row(400, Grpc.internal, "DPE", "http2.violation.of.messaging.rule", "client", "Bad Request"),
  http2HeadersTooLarge: row(431, Grpc.resourceExhausted, "DPE", "http2.too_many_headers", "client", "Request Header Fields Too Large"),
  downstreamReset: midway(Grpc.cancelled, "DR", "http2.remote_reset", "client"),
  // The whole connection, and every stream on it.
  http2ConnectionError: midway(Grpc.internal, "DPE", "http2.protocol_error", "client"),

  headersTimeout: row(408, Grpc.deadlineExceeded, "-", "request_header_timeout", "client", "request header timeout"),
  requestTimeout: row(408, Grpc.deadlineExceeded, "-", "request_overall_timeout", "client", "request timeout"),
  requestTimeoutMidway: midway(Grpc.deadlineExceeded, "-", "request_overall_timeout", "client"),
  downstreamIdle: row(408, Grpc.deadlineExceeded, "SI", "stream_idle_timeout", "client", "stream timeout"),
  /** max_stream_duration passed before the request was whole. */
  requestDuration: row(408, Grpc.deadlineExceeded, "DT", "max_duration_timeout", "client", "downstream duration timeout"),

  // A connection that is not taken at all; the log tells.
  noFilterChain: midway(Grpc.unavailable, "NR", "filter_chain_not_found", "policy"),
  noServerCertificate: midway(
    Grpc.unavailable,
    "NR",
    "downstream_transport_failure{TLS_error:_Secret_is_not_supplied_by_SDS}",
    "control-plane",
  ),
  clientHandshakeFailed: midway(Grpc.unavailable, "DPE", "downstream_transport_failure{TLS_error}", "client"),
  clientUntrusted: midway(Grpc.unavailable, "NR", "downstream_transport_failure{TLS_error:_CERTIFICATE_VERIFY_FAILED}", "policy"),

  downstreamDisconnect: midway(Grpc.cancelled, "DC", "downstream_remote_disconnect", "client"),
});
