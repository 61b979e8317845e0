// Reads from an API server, and whether there is one.
import type { Clock } from "../common/clock.ts";
import { UserError } from "../common/user-error.ts";
import { fromThrown } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { requestJson } from "./request-json.ts";
import type { RequestOptions } from "./request-json.ts";

export type GetOptions = RequestOptions;

/** @throws ApiError */
export function getJson(
  connection: ClusterConnection,
  path: string,
  query: Readonly<Record<string, string | number | undefined>>,
  options: GetOptions,
): Promise<unknown> {
  return requestJson(connection, { method: "GET", path, query }, options);
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
