// A chain: what a request passes between load generator and origin, under the name that the report gives it.
import { readFileSync } from "node:fs";
import type { PinnedProcess } from "./lab.ts";

export interface Chain {
  readonly name: string;
  /** Where the load generator connects. */
  readonly port: number;
  /** In the order in which a request passes them; none for the way straight to the origin. */
  readonly processes: readonly PinnedProcess[];
  /** Has the rules and header edits of rules.ts, and is held to them. */
  readonly isRich: boolean;
  /** Where the first process of two reaches the second. */
  readonly innerPort?: number;
}

/** TCP connections that are open to a port of 127.0.0.1, from /proc/net/tcp. */
export function countConnections(port: number): number {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const ESTABLISHED = "01";
  return readFileSync("/proc/net/tcp", "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , to, state]) => to === remote && state === ESTABLISHED).length;
}
