// Is anybody else in this pod still at work? Seen from the kernel's socket tables: a plain sidecar is told to end at the
// same time as the application, which may want to send something yet. kubelet's SIGKILL is the limit.
import { readFile } from "node:fs/promises";
import { PROXY_UID } from "../xds/names.ts";

const POLL_MS = 200;
/** linux/include/net/tcp_states.h: TCP_ESTABLISHED and TCP_LISTEN. Sockets that nobody holds any more belong to uid 0. */
const AT_WORK: ReadonlySet<string> = new Set(["01", "0A"]);
const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];

/** Resolves when no other user's program listens or is connected. */
export async function waitForOthersInPod(tables: readonly string[] = TABLES): Promise<void> {
  while (await areOthersAtWork(tables)) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

export async function areOthersAtWork(tables: readonly string[]): Promise<boolean> {
  for (const table of tables) {
    // A family that the kernel lacks has no table.
    const text = await readFile(table, "utf8").catch(() => "");
    for (const line of text.split("\n").slice(1)) {
      const [, , , state = "", , , , uid = String(PROXY_UID)] = line.trim().split(/\s+/);
      if (AT_WORK.has(state) && Number(uid) !== PROXY_UID) return true;
    }
  }
  return false;
}
