// Notices that files changed, by looking: Kubernetes swaps mounted Secrets and ConfigMaps through symlinks, which
// fs.watch on the file itself does not see.
import { statSync } from "node:fs";
import type { Clock } from "../../common/clock.ts";

const DEFAULT_INTERVAL_MS = 2000;

/**
 * Calls `onChange` after any of the files was replaced, written, made or removed.
 * @returns ends the watching.
 */
export function watchFiles(files: readonly string[], clock: Clock, onChange: () => void, intervalMs = DEFAULT_INTERVAL_MS): () => void {
  let stamp = stampOf(files);
  let cancel = clock.after(intervalMs, look);

  function look(): void {
    cancel = clock.after(intervalMs, look);
    const latest = stampOf(files);
    if (latest === stamp) return;
    stamp = latest;
    onChange();
  }

  return () => cancel();
}

function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const found = statSync(file, { throwIfNoEntry: false, bigint: true });
      return found === undefined ? "absent" : `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`;
    })
    .join(" ");
}
