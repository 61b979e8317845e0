// Which folder the single executable unpacks into. Whoever may write there decides what this user runs, so it is refused
// where that could be somebody else.
import type { Stats } from "node:fs";
import { lstatSync, mkdirSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { describeFileError } from "../common/file-error.ts";
import { UserError } from "../common/user-error.ts";

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

const REMEDY = "set MESHCTL_CACHE to a folder that is yours alone";
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/** The first of the possible folders that is there or can be made. @throws UserError that says why none is. */
export function findCacheFolder(surroundings: Surroundings): string {
  const { env } = surroundings;
  const wanted = env["MESHCTL_CACHE"];
  if (wanted) {
    if (!isAbsolute(wanted)) throw new UserError(`MESHCTL_CACHE=${wanted} is not an absolute path`, REMEDY);
    const problem = whyUnusable(wanted, surroundings);
    if (problem !== undefined) throw new UserError(problem, REMEDY);
    return wanted;
  }
  const candidates = [userCache(surroundings), join(env["TMPDIR"] || "/tmp", `meshctl-${surroundings.uid}`)].filter(
    (each) => each !== undefined,
  );
  const problems: string[] = [];
  for (const folder of candidates) {
    const problem = whyUnusable(folder, surroundings);
    if (problem === undefined) return folder;
    problems.push(problem);
  }
  throw new UserError(`nowhere to unpack meshctl: ${problems.join("; ")}`, REMEDY);
}

/** Undefined without a home, and for root in another's home (sudo): what root leaves there its owner couldn't use. */
function userCache({ env, uid }: Surroundings): string | undefined {
  const home = env["HOME"];
  const base = env["XDG_CACHE_HOME"] || (home ? join(home, ".cache") : undefined);
  if (base === undefined || !isAbsolute(base)) return undefined;
  for (let folder = base; ; folder = dirname(folder)) {
    const stats = statSync(folder, { throwIfNoEntry: false });
    if (stats !== undefined) return stats.uid === uid ? join(base, "meshctl") : undefined;
  }
}

function whyUnusable(folder: string, { uid }: Surroundings): string | undefined {
  try {
    makeFolder(folder);
    const stats = lstatSync(folder);
    if (stats.isSymbolicLink()) return `${folder} is a symbolic link`;
    return whyNotSafe(folder, stats, uid);
  } catch (error) {
    return `${folder}: ${describeFileError(error)}`;
  }
}

/** With its parents. Where mkdir answers ENOENT for a folder that has one, as in /proc, `recursive` never ends (Node 26). */
function makeFolder(folder: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false }) !== undefined) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function whyNotSafe(folder: string, stats: Stats, uid: number): string | undefined {
  if (!stats.isDirectory()) return `${folder} is not a folder`;
  if (stats.uid !== uid && stats.uid !== 0) return `${folder} belongs to user ${stats.uid}, not to ${uid}`;
  // In a sticky folder, as /tmp is, nobody can put something else in the place of what is ours.
  if ((stats.mode & OTHERS_WRITE) !== 0 && (stats.mode & STICKY) === 0) return `${folder} can be written by others`;
  return undefined;
}
