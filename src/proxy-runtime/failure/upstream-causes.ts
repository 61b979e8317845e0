// Rows of the failure table for the way to the upstream: no place to go, no connection, and what an upstream does wrong
// once it was reached.
import { Grpc, midway, named, OURS, PEER, row } from "./cause.ts";

const CONNECT = "upstream connect error or disconnect/reset before headers. reset reason: ";

/** Envoy's details for a failed try, before and after the response's head. */
const before = (reason: string): string => `upstream_reset_before_response_started{${reason}}`;
const after = (reason: string): string => `upstream_reset_after_response_started{${reason}}`;

export const UpstreamCauses = named({
  // Configuration has no place for the request.
  noRoute: row(404, Grpc.unimplemented, "NR", "route_not_found", "control-plane"),
  noCluster: row(503, Grpc.unavailable, "NC", "cluster_not_found", "control-plane"),
  noHealthyUpstream: row(503, Grpc.unavailable, "UH", "no_healthy_upstream", "server", "no healthy upstream"),
  upstreamOverflow: row(503, Grpc.unavailable, "UO", before("overflow"), "policy", `${CONNECT}overflow`),

  // The upstream could not be reached.
  connectFailure: row(
    503,
    Grpc.unavailable,
    "UF",
    before("remote_connection_failure"),
    "server",
    `${CONNECT}remote connection failure`,
    PEER,
  ),
  connectTimeout: row(503, Grpc.unavailable, "UF", before("connection_timeout"), "network", `${CONNECT}connection timeout`, {
    inbound: "server",
  }),
  tlsFailure: row(
    503,
    Grpc.unavailable,
    "UF",
    before("remote_connection_failure|TLS_error"),
    "server-sidecar",
    `${CONNECT}remote connection failure, transport failure reason: TLS_error`,
    PEER,
  ),
  tlsPeerIdentity: row(
    503,
    Grpc.unavailable,
    "UF",
    before("remote_connection_failure|TLS_error:_SAN_mismatch"),
    "policy",
    `${CONNECT}remote connection failure, transport failure reason: TLS_error: SAN matcher did not match`,
  ),
  // No descriptor, port or source address of our own was left.
  localConnectFailure: row(
    503,
    Grpc.unavailable,
    "UF",
    before("local_connection_failure"),
    "client-sidecar",
    `${CONNECT}local connection failure`,
    OURS,
  ),
  noOwnCertificate: row(
    503,
    Grpc.unavailable,
    "UF",
    before("local_connection_failure|TLS_error:_Secret_is_not_supplied_by_SDS"),
    "control-plane",
    `${CONNECT}local connection failure, transport failure reason: TLS_error: Secret is not supplied by SDS`,
  ),

  // The upstream was reached and then failed.
  // TLS 1.3: the client's handshake is over before the server has looked at its certificate.
  ownCertificateExpired: row(
    503,
    Grpc.unavailable,
    "UC",
    before("connection_termination|TLS_error:_own_certificate_expired"),
    "client-sidecar",
    `${CONNECT}connection termination, transport failure reason: TLS_error: own certificate expired`,
  ),
  /** A sidecar that takes mutual TLS only closes a plaintext connection without a word. */
  plaintextRefused: row(
    503,
    Grpc.unavailable,
    "UC",
    before("connection_termination|plaintext_refused"),
    "policy",
    `${CONNECT}connection termination, transport failure reason: plaintext refused`,
  ),
  upstreamClosed: row(503, Grpc.unavailable, "UC", before("connection_termination"), "server", `${CONNECT}connection termination`, PEER),
  upstreamClosedMidway: midway(Grpc.unavailable, "UC", after("connection_termination"), "server", PEER),
  upstreamReset: row(503, Grpc.unavailable, "UR", before("remote_reset"), "server", `${CONNECT}remote reset`, PEER),
  upstreamResetMidway: midway(Grpc.unavailable, "UR", after("remote_reset"), "server", PEER),
  /** HTTP/2: REFUSED_STREAM, or a GOAWAY below the stream's id: the request was not looked at. */
  upstreamRefused: row(
    503,
    Grpc.unavailable,
    "UR",
    before("remote_refused_stream_reset"),
    "server",
    `${CONNECT}remote refused stream reset`,
    PEER,
  ),
  upstreamProtocolError: row(502, Grpc.unavailable, "UPE", before("protocol_error"), "server", `${CONNECT}protocol error`, PEER),
  upstreamProtocolErrorMidway: midway(Grpc.unavailable, "UPE", after("protocol_error"), "server", PEER),

  // It takes too long.
  upstreamTimeout: row(504, Grpc.deadlineExceeded, "UT", "response_timeout", "server", "upstream request timeout"),
  /** The same for a request that has asked for 204 then (x-envoy-upstream-rq-timeout-alt-response). */
  upstreamTimeoutAsked: row(204, Grpc.deadlineExceeded, "UT", "response_timeout", "server"),
  upstreamTimeoutMidway: midway(Grpc.deadlineExceeded, "UT", "response_timeout", "server"),
  perTryTimeout: row(504, Grpc.deadlineExceeded, "UT", "upstream_per_try_timeout", "server", "upstream request timeout"),
  perTryIdleTimeout: row(504, Grpc.deadlineExceeded, "UT", "upstream_per_try_idle_timeout", "server", "upstream request timeout"),
  perTryIdleTimeoutMidway: midway(Grpc.deadlineExceeded, "UT", "upstream_per_try_idle_timeout", "server"),
  streamIdle: row(504, Grpc.deadlineExceeded, "SI", "stream_idle_timeout", "server", "stream timeout"),
  streamIdleMidway: midway(Grpc.deadlineExceeded, "SI", "stream_idle_timeout", "server"),
  /** max_stream_duration of the route or the connection manager: between client and us. */
  streamDuration: row(504, Grpc.deadlineExceeded, "DT", "max_duration_timeout", "server", "downstream duration timeout"),
  streamDurationMidway: midway(Grpc.deadlineExceeded, "DT", "max_duration_timeout", "policy"),
  /** max_stream_duration of the cluster: one try at a host. */
  upstreamDuration: row(
    504,
    Grpc.deadlineExceeded,
    "UMSDR",
    "upstream_max_stream_duration_reached",
    "server",
    "upstream max stream duration reached",
  ),
  upstreamDurationMidway: midway(Grpc.deadlineExceeded, "UMSDR", "upstream_max_stream_duration_reached", "policy"),
});
