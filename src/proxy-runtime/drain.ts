// How the proxy ends: first no new work, then wait for what is under way, then stop.
import { performance } from "node:perf_hooks";

const POLL_MS = 50;

export interface DrainTarget {
  activeConnections(): Promise<number>;
}

/** Resolves when nothing is connected any more, or when time is up. */
export async function waitForIdle(target: DrainTarget, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  while ((await target.activeConnections()) > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, Math.max(1, deadline - performance.now()))));
  }
}
