// Puts the files that the single executable carries into a folder named by their digest, once; every later start compares
// them with the binary's own, byte for byte (some 3 ms), before any of them runs.
import { accessSync, constants, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeFileError } from "../common/file-error.ts";
import { UserError } from "../common/user-error.ts";
import { findCacheFolder } from "./cache-folder.ts";
import type { Surroundings } from "./cache-folder.ts";

export interface Cargo {
  readonly digest: string;
  /** Relative paths. */
  readonly files: readonly string[];
  readonly read: (file: string) => Uint8Array;
}

/** The folder that holds the files of `cargo`. @throws UserError where there is none that can be trusted. */
export function unpack(cargo: Cargo, surroundings: Surroundings): string {
  const cache = findCacheFolder(surroundings);
  const folder = join(cache, cargo.digest);
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) writeAll(cargo, cache, folder);
  assertOwn(folder, surroundings.uid);
  assertSame(cargo, folder);
  return folder;
}

/** @throws UserError where the file system forbids what `meshctl proxy` does with native code: access(2) tells of noexec. */
export function assertExecutable({ files }: Cargo, folder: string): void {
  for (const file of files.filter(isNative)) {
    try {
      accessSync(join(folder, file), constants.X_OK);
    } catch {
      throw new UserError(
        `nothing in ${folder} may be executed: its file system is mounted noexec`,
        "set MESHCTL_CACHE to a folder of another file system",
      );
    }
  }
}

function isNative(file: string): boolean {
  return file.endsWith(".node");
}

function writeAll({ digest, files, read }: Cargo, cache: string, folder: string): void {
  let fresh: string | undefined;
  try {
    // Mode 0700, whatever the umask.
    fresh = mkdtempSync(join(cache, `.${digest}.`));
    for (const file of files) {
      const path = join(fresh, file);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, read(file), { mode: isNative(file) ? 0o700 : 0o600 });
    }
    renameSync(fresh, folder);
  } catch (error) {
    if (fresh !== undefined) rmSync(fresh, { recursive: true, force: true });
    const { code, syscall } = error as NodeJS.ErrnoException;
    // Another process was first: its files are compared as any others.
    if (syscall === "rename" && (code === "ENOTEMPTY" || code === "EEXIST")) return;
    throw new UserError(
      `cannot unpack meshctl into ${cache}: ${describeFileError(error)}`,
      "set MESHCTL_CACHE to a folder with 10 MB to spare",
    );
  }
}

function assertOwn(folder: string, uid: number): void {
  const stats = lstatSync(folder);
  const problem = !stats.isDirectory()
    ? "is not a folder"
    : stats.uid !== uid
      ? `belongs to user ${stats.uid}, not to ${uid}`
      : (stats.mode & 0o077) !== 0
        ? "is open to others"
        : undefined;
  if (problem !== undefined) throw refusal(`${folder} ${problem}`, folder);
}

function assertSame({ files, read }: Cargo, folder: string): void {
  for (const file of files) {
    const path = join(folder, file);
    let isSame: boolean;
    try {
      isSame = readFileSync(path).equals(read(file));
    } catch (error) {
      throw refusal(`${path}: ${describeFileError(error)}`, folder);
    }
    if (!isSame) throw refusal(`${path} is not what this meshctl unpacked there`, folder);
  }
}

function refusal(message: string, folder: string): UserError {
  return new UserError(message, `remove ${folder}: it is made anew; or set MESHCTL_CACHE to another folder`);
}
