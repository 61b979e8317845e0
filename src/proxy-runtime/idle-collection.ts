// Gives memory back when a burst is over. V8 keeps the young generation as large as its last burst (or the start-up) made
// it; a collection that is told memory is short shrinks it: 41 → 28 MB for an idle sidecar, and a good third after a burst
// (docs/decisions/0017-give-memory-back.md). It takes some 20 ms, so it waits until nothing happens.

/** What --expose-gc offers (bin/meshctl); `last-resort` compacts and shrinks. */
type Collect = (options: { type: "major"; execution: "sync"; flavor: "last-resort" }) => void;

const INTERVAL_MS = 1000;
// Of one core: a sidecar whose pod only answers its probes stays below.
const IDLE_SHARE = 0.01;
const BUSY_SHARE = 0.03;
// A pause between two bursts is not idleness; after the start there is none to come.
const IDLE_INTERVALS = 3;
const START_UP_CPU_MS = 2000;

/** Watches the process until the returned function is called. Does nothing where Node runs without --expose-gc. */
export function collectWhenIdle(): () => void {
  const collect = (globalThis as { gc?: Collect }).gc;
  if (collect === undefined) return () => undefined;
  let used = cpuMs();
  let hasWorked = true;
  let idleIntervals = 0;
  const timer = setInterval(() => {
    const now = cpuMs();
    const share = (now - used) / INTERVAL_MS;
    used = now;
    if (share > BUSY_SHARE) hasWorked = true;
    idleIntervals = share < IDLE_SHARE ? idleIntervals + 1 : 0;
    if (!hasWorked || idleIntervals < (now < START_UP_CPU_MS ? 1 : IDLE_INTERVALS)) return;
    hasWorked = false;
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
    used = cpuMs();
  }, INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** User and system time of the process since its start. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
