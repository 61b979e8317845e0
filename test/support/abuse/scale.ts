// How hard the abuse suite tries: in full by `npm run test:abuse`, a part of it in `npm test`.
import { readFileSync } from "node:fs";

export const IS_FULL = process.env["MESHCTL_ABUSE"] === "full";

/** One of two amounts. */
export function scaled(full: number, part: number): number {
  return IS_FULL ? full : part;
}

/** Why `count` descriptors can't be had here; false when they can. Node raises its own soft limit to the hard one. */
export function lacksDescriptors(count: number): string | false {
  const hard = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1] ?? Infinity);
  return hard >= count ? false : `needs ${count} descriptors in a process, and the limit is ${hard}`;
}
