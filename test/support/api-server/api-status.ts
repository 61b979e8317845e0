// What an API server answers when it doesn't do what was asked: a Status object.

import type { ApiPath } from "./api-resources.ts";

export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

export class ApiFailure extends Error {
  readonly code: number;
  readonly reason: string;
  readonly retryAfterS: number | undefined;
  readonly causes: readonly StatusCause[];

  constructor(code: number, reason: string, message: string, retryAfterS?: number, causes: readonly StatusCause[] = []) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.retryAfterS = retryAfterS;
    this.causes = causes;
  }

  toStatus(): Record<string, unknown> {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      ...(this.causes.length === 0 ? {} : { details: { causes: this.causes } }),
      code: this.code,
    };
  }
}

export const EXPIRED = new ApiFailure(410, "Expired", "too old resource version");

export function forbidden(path: ApiPath | undefined, method: string, user: string): ApiFailure {
  const { resource = { plural: "paths", group: "" }, name, subresource, namespace } = path ?? {};
  const what = `resource "${resource.plural}${subresource === undefined ? "" : `/${subresource}`}" in API group "${resource.group}"`;
  const where = namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const verbs: Readonly<Record<string, string>> = { GET: name === undefined ? "list" : "get" };
  const verb = verbs[method] ?? method.toLowerCase();
  const object = name === undefined ? "" : ` "${name}"`;
  return new ApiFailure(403, "Forbidden", `${resource.plural}${object} is forbidden: User "${user}" cannot ${verb} ${what} ${where}`);
}
