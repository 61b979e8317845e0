// Why an API server did not do what was asked: its Status, or that it couldn't be talked to at all.

/** One of several reasons, such as a field that somebody else manages. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  /** Such as `.spec.replicas`. */
  readonly field?: string;
}

export class ApiError extends Error {
  /** HTTP status; 0: there was no answer. */
  readonly code: number;
  /** The machine's word of a Status, such as `Forbidden` or `Expired`; empty where there is none. */
  readonly reason: string;
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined;
  readonly causes: readonly StatusCause[];

  constructor(code: number, reason: string, message: string, retryAfterMs?: number, causes: readonly StatusCause[] = []) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.causes = causes;
  }
}

/** Of an answer that is no success. */
export function fromAnswer(code: number, statusText: string, body: string, retryAfter: string | null): ApiError {
  const seconds = Number(retryAfter);
  const { reason, message, causes } = readStatus(body);
  return new ApiError(code, reason, message || `${code} ${statusText}`.trim(), seconds > 0 ? seconds * 1000 : undefined, causes);
}

/** Empty for what is no Status: of an unknown path, and of proxies in between. */
function readStatus(body: string): { reason: string; message: string; causes: readonly StatusCause[] } {
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  try {
    const { reason, message, details } = JSON.parse(body) as { reason?: unknown; message?: unknown; details?: { causes?: unknown } };
    const causes = Array.isArray(details?.causes) ? (details.causes as StatusCause[]) : [];
    return { reason: text(reason), message: text(message), causes };
  } catch {
    return { reason: "", message: "", causes: [] };
  }
}

/** Of whatever was thrown on the way to the server; an ApiError stays what it is. */
export function fromThrown(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  // The client's Watch tells a refusal by this property alone.
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (typeof statusCode === "number") return new ApiError(statusCode, "", `${statusCode} ${message ?? ""}`.trim());
  return new ApiError(0, "", describeConnectError(error));
}

/** undici says "fetch failed" and keeps why to itself, in `cause`. */
function describeConnectError(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const inner = (cause ?? error) as NodeJS.ErrnoException;
  switch (inner.code) {
    case "ECONNREFUSED":
      return "nothing listens there";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "its name can't be resolved";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "there is no route to it";
    case "UND_ERR_CONNECT_TIMEOUT":
    case "UND_ERR_HEADERS_TIMEOUT":
      return "it doesn't answer";
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return "the connection broke off";
    case "CERT_HAS_EXPIRED":
      return "its certificate has expired";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "its certificate is for another name";
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "its certificate is not signed by the authority that the configuration names";
    default:
      return inner.message || String(error);
  }
}
