// What YAML files there are under some paths, right now, with what tells an unchanged file from a changed one.
import type { BigIntStats } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";

export interface FoundFile {
  /** Equal signatures mean an unchanged file. */
  readonly signature: string;
  readonly modifiedMs: number;
}

export interface Scan {
  readonly files: ReadonlyMap<string, FoundFile>;
  /** Path → which directory it is now: one that was replaced has to be watched anew. */
  readonly directories: ReadonlyMap<string, string>;
}

const CONFIG_FILE = /\.(ya?ml|json)$/i;

/**
 * Looks through directories recursively, and at files named directly. Hidden names are skipped: editors' temporary files,
 * and the folders behind a mounted ConfigMap, whose files are seen through their links.
 */
export async function scanPaths(paths: readonly string[]): Promise<Scan> {
  const files = new Map<string, FoundFile>();
  const directories = new Map<string, string>();
  const visited = new Set<string>();

  const visit = async (path: string, named: boolean): Promise<void> => {
    const info = await statIfThere(path);
    if (info === undefined) return;
    if (info.isFile() && (named || CONFIG_FILE.test(path))) {
      const signature = `${info.dev}:${info.ino}:${info.size}:${info.mtimeNs}:${info.ctimeNs}`;
      files.set(path, { signature, modifiedMs: Number(info.mtimeMs) });
    } else if (info.isDirectory()) {
      const real = await realpath(path);
      // A link back up would never end.
      if (visited.has(real)) return;
      visited.add(real);
      directories.set(path, `${info.dev}:${info.ino}`);
      const names = await readdir(path).catch(() => []);
      for (const name of names.sort()) if (!name.startsWith(".")) await visit(join(path, name), false);
    }
  };
  for (const path of paths) await visit(path, true);
  return { files, directories };
}

async function statIfThere(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch {
    return undefined;
  }
}
