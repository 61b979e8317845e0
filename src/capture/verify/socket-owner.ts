// Whose sockets --verify's connections are: the rules tell the sidecar from the application by user and group.
import type { CaptureOptions } from "../capture-options.ts";
import type { NativeCalls } from "./native-calls.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

// nobody; and downwards from there, for options that exempt it.
const NOBODY = 65534;

/** A user and group whose connections the rules capture: this process's own if they are, else nobody's. */
export function applicationOwner(options: CaptureOptions): Owner {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  const capturesGid = (id: number): boolean =>
    !options.proxyGids.includes(id) &&
    !options.ownerGroupsExcluded.includes(id) &&
    (options.ownerGroups.length === 0 || options.ownerGroups.includes(id));
  return {
    uid: firstFrom(uid, (id) => !options.proxyUids.includes(id)),
    gid: options.ownerGroups.find(capturesGid) ?? firstFrom(gid, capturesGid),
  };
}

function firstFrom(own: number, fits: (id: number) => boolean): number {
  if (fits(own)) return own;
  let id = NOBODY;
  while (id > 0 && !fits(id)) id--;
  return id;
}

export function isOwnIdentity(owner: Owner): boolean {
  return owner.uid === process.getuid?.() && owner.gid === process.getgid?.();
}

/** Runs `open` while this thread's new sockets belong to `owner`. Rejects when the kernel refuses that. */
export async function asOwner<T>(owner: Owner, native: NativeCalls, open: () => Promise<T>): Promise<T> {
  try {
    if (!native.setSocketOwner(owner.uid, owner.gid)) throw new Error(`this process may not act as user ${owner.uid}, group ${owner.gid}`);
    return await open();
  } finally {
    native.setSocketOwner(process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  }
}
