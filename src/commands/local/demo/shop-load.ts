// Real requests to the shop, through the port that the local mesh publishes.
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";

export interface LoadResult {
  readonly sent: number;
  /** Why, for each request that was not answered as it should. */
  readonly failed: readonly string[];
}

const CHAIN = "frontend checkout payments";
const REQUEST_TIMEOUT_MS = 10_000;

/** Sends `count` requests over `connections` connections, each waiting for its answer. */
export async function sendRequests(url: string, count: number, connections: number, signal: AbortSignal): Promise<LoadResult> {
  const pool = new Pool(url, { connections });
  const failed: string[] = [];
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (sent < count) {
      sent++;
      const problem = await sendOne(pool, signal);
      signal.throwIfAborted();
      if (problem !== undefined) failed.push(problem);
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, worker));
  } finally {
    await pool.destroy();
  }
  return { sent, failed };
}

/** A trickle, so that whoever looks at the running mesh sees something; ends with the signal. */
export async function trickle(url: string, perSecond: number, signal: AbortSignal): Promise<void> {
  const pool = new Pool(url, { connections: 1 });
  while (!signal.aborted) {
    await sendOne(pool, signal);
    await delay(1000 / perSecond, undefined, { signal }).catch(() => undefined);
  }
  await pool.destroy();
}

/** Undefined where every hop of the shop has answered. */
async function sendOne(pool: Pool, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { statusCode, headers, body } = await pool.request({
      path: "/",
      method: "GET",
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    const text = await body.text();
    if (statusCode !== 200) return `${statusCode} ${String(headers["x-mesh-error"] ?? "")} ${text.slice(0, 200)}`.trim();
    const { hops } = JSON.parse(text) as { hops: readonly { service: string }[] };
    const names = hops.map((hop) => hop.service).join(" ");
    return names === CHAIN ? undefined : `went through ${names}, not ${CHAIN}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
