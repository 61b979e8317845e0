// Ends what a test file left running. Its processes are found by a mark in their environment, which children inherit
// whatever session or process group they move to.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export const MARK = "MESHCTL_TEST_FILE";

const GRACE_MS = 2_000;
const POLL_MS = 50;

/** Pids of the processes that carry the mark; none where /proc does not tell. */
export function marked(mark: string): number[] {
  const needle = Buffer.from(`${MARK}=${mark}\0`);
  const found: number[] = [];
  let entries: string[] = [];
  try {
    entries = readdirSync("/proc");
  } catch {
    return [];
  }
  for (const entry of entries) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (readFileSync(`/proc/${pid}/environ`).includes(needle)) found.push(pid);
    } catch {
      // Gone meanwhile, or another user's.
    }
  }
  return found;
}

/** SIGTERM, then SIGKILL for those that stay. */
export async function endLeftovers(mark: string): Promise<void> {
  let pids = marked(mark);
  for (const pid of pids) signalQuietly(pid, "SIGTERM");
  const deadline = performance.now() + GRACE_MS;
  while (pids.length > 0 && performance.now() < deadline) {
    await delay(POLL_MS);
    pids = marked(mark);
  }
  for (const pid of pids) signalQuietly(pid, "SIGKILL");
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Already gone.
  }
}
