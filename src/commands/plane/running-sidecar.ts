// What kubelet runs beside a sidecar, in its container: waiting until it is ready, and having it drain.
import { UserError } from "../../common/user-error.ts";
import { plainRequest } from "../../proxy-runtime/status/plain-request.ts";
import { Port, StatusPath } from "../../xds/names.ts";

// Istio's `pilot-agent wait`.
const WAIT_MS = 60_000;
const POLL_MS = 100;
const ANSWER_MS = 5000;

/** @throws UserError when the sidecar isn't ready within a minute. */
export async function waitForSidecar(): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const status = await ask("GET", StatusPath.ready, Port.ready).catch((error: unknown) => (error as Error).message);
    if (status === 200) return;
    if (performance.now() > deadline)
      throw new UserError(
        `the sidecar is not ready after ${WAIT_MS / 1000} s: ${typeof status === "number" ? `it answers ${status}` : status}`,
        "its log says what it waits for",
      );
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** @throws UserError where no sidecar does it. */
export async function drainSidecar(): Promise<void> {
  const status = await ask("POST", StatusPath.drain, Port.mergedMetrics).catch((error: unknown) => (error as Error).message);
  if (status !== 200)
    throw new UserError(
      `no sidecar here drains: ${typeof status === "number" ? `it answers ${status}` : status}`,
      "run it in the container of a running sidecar",
    );
}

async function ask(method: "GET" | "POST", target: string, port: number): Promise<number> {
  const { status } = await plainRequest({
    method,
    host: "127.0.0.1",
    port,
    tls: false,
    target,
    headers: [["Host", `127.0.0.1:${port}`], ["Connection", "close"], ...(method === "POST" ? ([["Content-Length", "0"]] as const) : [])],
    maxBodyBytes: 0,
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  return status;
}
