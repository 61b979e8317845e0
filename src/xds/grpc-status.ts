// How a gRPC call ended: codes, and the mapping to them from HTTP status and HTTP/2 reset codes, for a peer (or a
// proxy before it) that answered without grpc-status. gRPC's "HTTP/2 protocol mapping" is the source of both tables.
import type { IncomingHttpHeaders } from "node:http2";

/** gRPC status codes that we give or look at. */
export const GrpcCode = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export interface GrpcStatus {
  readonly code: number;
  /** Decoded text of grpc-message, or our own words when the peer never sent a status. */
  readonly message: string;
}

/** A call that did not end with OK. */
export class GrpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = "GrpcError";
    this.code = code;
  }
}

const FROM_HTTP: Readonly<Record<number, number>> = {
  400: GrpcCode.internal,
  401: GrpcCode.unauthenticated,
  403: GrpcCode.permissionDenied,
  404: GrpcCode.unimplemented,
  429: GrpcCode.unavailable,
  502: GrpcCode.unavailable,
  503: GrpcCode.unavailable,
  504: GrpcCode.unavailable,
};

/** The code for an HTTP answer that carries no grpc-status. */
export function codeFromHttpStatus(httpStatus: number): number {
  return FROM_HTTP[httpStatus] ?? GrpcCode.unknown;
}

// RFC 9113 §7 error codes; everything absent here is INTERNAL.
const FROM_RESET: Readonly<Record<number, number>> = {
  7: GrpcCode.unavailable, // REFUSED_STREAM
  8: GrpcCode.cancelled, // CANCEL
  11: GrpcCode.resourceExhausted, // ENHANCE_YOUR_CALM
  12: GrpcCode.permissionDenied, // INADEQUATE_SECURITY
};

/** The code for a stream that was reset before a status came. */
export function codeFromReset(resetCode: number): number {
  return FROM_RESET[resetCode] ?? GrpcCode.internal;
}

/** Reads grpc-status and grpc-message; undefined when there is no grpc-status. */
export function statusFromHeaders(headers: IncomingHttpHeaders): GrpcStatus | undefined {
  const text = headers["grpc-status"]?.toString();
  if (text === undefined) return undefined;
  const code = /^\d{1,3}$/.test(text) ? Number(text) : GrpcCode.unknown;
  return { code, message: decodeGrpcMessage(headers["grpc-message"]?.toString() ?? "") };
}

/** Percent-decodes UTF-8; what is no valid escape stays as it is, as the protocol asks. */
export function decodeGrpcMessage(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"));
}
