// Latencies for people.

/** Whole milliseconds, one decimal below ten; `-` for none. */
export function formatMs(ms: number | undefined): string {
  if (ms === undefined) return "-";
  return ms < 9.95 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
}
