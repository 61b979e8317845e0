// What an API server answers when it doesn't do what was asked: a Status object.

export class ApiFailure extends Error {
  readonly code: number;
  readonly reason: string;
  readonly retryAfterS: number | undefined;

  constructor(code: number, reason: string, message: string, retryAfterS?: number) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.retryAfterS = retryAfterS;
  }

  toStatus(): Record<string, unknown> {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      code: this.code,
    };
  }
}

export const EXPIRED = new ApiFailure(410, "Expired", "too old resource version");
