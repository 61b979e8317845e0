// Tells when the user's files may have changed. The kernel's notices come at once; a slow look catches what they miss
// (network file systems, a folder that was replaced).
import { statSync, watch, type FSWatcher } from "node:fs";
import { dirname } from "node:path";

const SETTLE_MS = 50;
const LOOK_EVERY_MS = 2000;

export function watchSources(sources: readonly string[], onChange: () => void): { close(): void } {
  let settle: NodeJS.Timeout | undefined;
  const notice = (): void => {
    clearTimeout(settle);
    settle = setTimeout(onChange, SETTLE_MS);
  };
  const watchers: FSWatcher[] = [];
  for (const folder of new Set(sources.map((source) => (isFolder(source) ? source : dirname(source))))) {
    try {
      watchers.push(watch(folder, notice).on("error", () => undefined));
    } catch {
      // The slow look remains.
    }
  }
  const look = setInterval(onChange, LOOK_EVERY_MS);
  return {
    close() {
      clearTimeout(settle);
      clearInterval(look);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
