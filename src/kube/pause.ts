// Waiting that ends early when what waits is told to stop.
import type { Clock } from "../common/clock.ts";

/** Resolves after `delayMs`, or as soon as `stopping` is aborted. */
export function pause(clock: Clock, delayMs: number, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stopping.aborted) return resolve();
    const end = (): void => {
      cancel();
      stopping.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    stopping.addEventListener("abort", end);
  });
}
