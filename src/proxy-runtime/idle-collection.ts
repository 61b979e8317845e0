// Gives memory back when a burst is over. V8 keeps the young generation as large as its last burst (or the start-up) made
// it; a collection that is told memory is short shrinks it: 31 → 26 MB for an idle sidecar, which may then have a young
// generation of 8 MB under load (docs/performance.md). It takes some 20 ms, so it waits until nothing happens.

/** What --expose-gc offers (bin/meshctl); `last-resort` compacts and shrinks. */
type Collect = (options: { type: "major"; execution: "sync"; flavor: "last-resort" }) => void;

const INTERVAL_MS = 3000;
// Of one core: a sidecar whose pod only answers its probes stays below.
const IDLE_SHARE = 0.01;
const BUSY_SHARE = 0.03;

/** Watches the process until the returned function is called. Does nothing where Node runs without --expose-gc. */
export function collectWhenIdle(): () => void {
  const collect = (globalThis as { gc?: Collect }).gc;
  if (collect === undefined) return () => undefined;
  let used = process.cpuUsage();
  let hasWorked = true;
  const timer = setInterval(() => {
    const spent = process.cpuUsage(used);
    used = process.cpuUsage();
    const share = (spent.user + spent.system) / (INTERVAL_MS * 1000);
    if (share > BUSY_SHARE) hasWorked = true;
    else if (hasWorked && share < IDLE_SHARE) {
      hasWorked = false;
      collect({ type: "major", execution: "sync", flavor: "last-resort" });
      used = process.cpuUsage();
    }
  }, INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
