// One request to an API server, answered with one JSON document, or with text.
import { HttpMethod, RequestContext } from "@kubernetes/client-node";
import { fetch } from "undici";
import type { Clock } from "../common/clock.ts";
import { ApiError, fromAnswer, fromThrown } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";

export interface JsonRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  /** Of the body. */
  readonly contentType?: string;
}

export interface RequestOptions {
  readonly clock: Clock;
  /** From asking to the answer's last byte. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** What the server wants a person to know of the request, such as an unknown field. */
  readonly onWarning?: (message: string) => void;
  /** The server's clock, in whole seconds, with every answer. */
  readonly onDate?: (dateMs: number) => void;
}

/** @throws ApiError */
export async function requestJson(connection: ClusterConnection, request: JsonRequest, options: RequestOptions): Promise<unknown> {
  const text = await requestText(connection, request, options);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ApiError(0, "", `what answers at ${connection.server} is no Kubernetes API server`);
  }
}

/** What is no JSON, such as a container's log. @throws ApiError */
export async function requestText(connection: ClusterConnection, request: JsonRequest, options: RequestOptions): Promise<string> {
  const { method, path, query = {}, body, contentType = "application/json" } = request;
  const { clock, timeoutMs, signal, onWarning, onDate } = options;
  const url = new URL(connection.server + path);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  const late = new AbortController();
  const cancel = clock.after(timeoutMs, () => late.abort(new ApiError(0, "", `no answer within ${timeoutMs / 1000} s`)));
  try {
    const context = new RequestContext(url.toString(), HttpMethod[method]);
    await connection.applySecurityAuthentication(context);
    const dispatcher = context.getDispatcher();
    const response = await fetch(url, {
      method,
      headers: {
        ...context.getHeaders(),
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": contentType }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]),
      ...(dispatcher === undefined ? {} : { dispatcher }),
    });
    const text = await response.text();
    const dateMs = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(dateMs)) onDate?.(dateMs);
    if (onWarning !== undefined) for (const each of readWarnings(response.headers.get("warning"))) onWarning(each);
    if (!response.ok) throw fromAnswer(response.status, response.statusText, text, response.headers.get("retry-after"));
    return text;
  } catch (error) {
    throw fromThrown(error);
  } finally {
    cancel();
  }
}

/** RFC 9111 §5.5 as API servers use it: `299 - "text"`, several in one line. */
function readWarnings(header: string | null): string[] {
  return [...(header ?? "").matchAll(/299 [^ ]+ "((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text!.replace(/\\(.)/g, "$1"));
}
