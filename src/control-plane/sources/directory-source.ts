// Kubernetes YAML in directories or files, followed as it is edited. Directories are watched rather than files, because
// editors save by renaming a new file over the old one; a slow poll covers file systems that tell nothing.
import { createHash } from "node:crypto";
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, relative } from "node:path";
import type { Clock } from "../../common/clock.ts";
import { parseFile } from "../ingest/parse-file.ts";
import { scanPaths } from "./directory-scan.ts";
import type { ConfigProblem } from "../ingest/raw-object.ts";
import type { Source, SourceChange } from "./source.ts";

/** Events come in bursts: one save makes several. */
const QUIET_MS = 15;
/** A file younger than this may still be being written; it is looked at again before it is believed. */
const SETTLE_MS = 10;
/** Nor is a file believed that was suddenly emptied: most of the time the rest is about to come. */
const EMPTY_SETTLE_MS = 250;
const POLL_MS = 2_000;

interface KnownFile {
  signature: string;
  hash: string;
}

function unreadable(file: string, code: string | undefined): ConfigProblem {
  return { file, line: 1, column: 1, object: undefined, field: "", message: `can't be read: ${code}` };
}

/** Signature of a file that went together with the path that it was found under. */
const GONE = "";

function gone(path: string): ConfigProblem {
  return { file: path, line: 1, column: 1, object: undefined, field: "", message: "is gone; what it says stays in force until it is back" };
}

export class DirectorySource implements Source {
  readonly #paths: readonly string[];
  readonly #clock: Clock;
  readonly #known = new Map<string, KnownFile>();
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  #onChange: ((changes: readonly SourceChange[]) => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Infinity;
  #scanning: Promise<void> | undefined;
  #scanAgain = false;

  /**
   * @param paths directories, searched recursively, or files. What is under a path that goes away altogether (a branch is
   *   switched, a folder unmounted) stays in force: nobody meant to lift a policy.
   */
  constructor(paths: readonly string[], clock: Clock) {
    this.#paths = paths;
    this.#clock = clock;
  }

  async start(onChange: (changes: readonly SourceChange[]) => void): Promise<void> {
    this.#onChange = onChange;
    await this.#scan(true);
  }

  stop(): void {
    this.#onChange = undefined;
    this.#cancelTimer?.();
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #schedule(delayMs: number): void {
    const at = this.#clock.now() + delayMs;
    if (this.#onChange === undefined || at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.after(delayMs, () => {
      this.#timerAt = Infinity;
      this.#rescan();
    });
  }

  #rescan(): void {
    if (this.#scanning !== undefined) {
      this.#scanAgain = true;
      return;
    }
    this.#scanning = this.#scan(false).finally(() => {
      this.#scanning = undefined;
      if (this.#scanAgain) {
        this.#scanAgain = false;
        this.#schedule(QUIET_MS);
      }
    });
  }

  async #scan(first: boolean): Promise<void> {
    // Watching comes before reading, so that nothing falls in between; new directories are watched, then scanned again.
    for (;;) {
      const { directories } = await scanPaths(this.#paths);
      if (!this.#watch(directories)) break;
    }
    const { files, directories } = await scanPaths(this.#paths);
    const gonePaths = this.#paths.filter((path) => !files.has(path) && !directories.has(path));
    const toldPaths = new Set<string>();
    const changes: SourceChange[] = [];
    for (const [file, known] of [...this.#known]) {
      if (files.has(file)) continue;
      const path = gonePaths.find((each) => !relative(each, file).startsWith(".."));
      if (path === undefined) {
        this.#known.delete(file);
        changes.push({ part: file, objects: [], problems: [], readable: true });
      } else if (known.signature !== GONE) {
        this.#known.set(file, { signature: GONE, hash: "" });
        // Once for all that was under it.
        changes.push({ part: file, objects: [], problems: toldPaths.has(path) ? [] : [gone(path)], readable: false });
        toldPaths.add(path);
      }
    }
    for (const [file, { signature, modifiedMs }] of files) {
      const known = this.#known.get(file);
      if (known?.signature === signature) continue;
      const ageMs = this.#clock.now() - modifiedMs;
      if (!first && ageMs >= 0 && ageMs < SETTLE_MS) {
        this.#schedule(SETTLE_MS);
        continue;
      }
      const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => ({ code: error.code }));
      if (typeof text !== "string") {
        // Gone meanwhile: the next look finds it missing.
        if (text.code === "ENOENT") continue;
        this.#known.set(file, { signature, hash: "" });
        changes.push({ part: file, objects: [], problems: [unreadable(file, text.code)], readable: false });
        continue;
      }
      if (known !== undefined && text.trim() === "" && ageMs >= 0 && ageMs < EMPTY_SETTLE_MS) {
        this.#schedule(EMPTY_SETTLE_MS - ageMs);
        continue;
      }
      const hash = createHash("sha1").update(text).digest("hex");
      this.#known.set(file, { signature, hash });
      if (known?.hash !== hash) changes.push({ part: file, ...parseFile(text, file) });
    }
    if (changes.length > 0 || first) this.#onChange?.(changes);
    this.#schedule(POLL_MS);
  }

  /** @returns whether a directory was added. */
  #watch(found: ReadonlyMap<string, string>): boolean {
    if (this.#onChange === undefined) return false;
    const wanted = new Map(found);
    // A file named directly, or a path that isn't there now: its folder tells when that changes.
    for (const path of this.#paths) if (!found.has(path)) wanted.set(dirname(path), "");
    for (const [directory, { watcher, identity }] of this.#watchers) {
      if (wanted.get(directory) === identity) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    let added = false;
    for (const [directory, identity] of wanted) {
      if (this.#watchers.has(directory)) continue;
      try {
        const watcher = watch(directory, () => this.#schedule(QUIET_MS));
        watcher.on("error", () => {
          // The directory is gone, or the machine is out of watches; the poll goes on.
          watcher.close();
          this.#watchers.delete(directory);
        });
        this.#watchers.set(directory, { watcher, identity });
        added = true;
      } catch {
        // As above.
      }
    }
    return added;
  }
}
