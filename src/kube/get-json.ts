// One request to an API server that is answered with one JSON document.
import { HttpMethod, RequestContext } from "@kubernetes/client-node";
import { fetch } from "undici";
import type { Clock } from "../common/clock.ts";
import { UserError } from "../common/user-error.ts";
import { ApiError, fromAnswer, fromThrown } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";

export interface GetOptions {
  readonly clock: Clock;
  /** From asking to the answer's last byte. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** @throws ApiError */
export async function getJson(
  connection: ClusterConnection,
  path: string,
  query: Readonly<Record<string, string | number | undefined>>,
  { clock, timeoutMs, signal }: GetOptions,
): Promise<unknown> {
  const url = new URL(connection.server + path);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  const late = new AbortController();
  const cancel = clock.after(timeoutMs, () => late.abort(new ApiError(0, "", `no answer within ${timeoutMs / 1000} s`)));
  try {
    const context = new RequestContext(url.toString(), HttpMethod.GET);
    await connection.applySecurityAuthentication(context);
    const dispatcher = context.getDispatcher();
    const response = await fetch(url, {
      headers: { ...context.getHeaders(), accept: "application/json" },
      signal: signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]),
      ...(dispatcher === undefined ? {} : { dispatcher }),
    });
    const text = await response.text();
    if (!response.ok) throw fromAnswer(response.status, response.statusText, text, response.headers.get("retry-after"));
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new ApiError(0, "", `what answers at ${connection.server} is no Kubernetes API server`);
    }
  } catch (error) {
    throw fromThrown(error);
  } finally {
    cancel();
  }
}

/** @throws UserError when the server can't be talked to as this user. */
export async function checkReachable(connection: ClusterConnection, clock: Clock, timeoutMs: number): Promise<void> {
  try {
    await getJson(connection, "/version", {}, { clock, timeoutMs });
  } catch (error) {
    const { code, message } = fromThrown(error);
    // Whoever is told that is known to the server.
    if (code === 403) return;
    if (code === 401) {
      const hint = "log in again, or choose another context with --context";
      throw new UserError(`the API server at ${connection.server} doesn't accept these credentials`, hint);
    }
    const hint = "see whether it runs and kubectl reaches it, or choose another context with --context";
    throw new UserError(`can't reach the API server at ${connection.server}: ${message}`, hint);
  }
}
