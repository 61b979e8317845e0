// Waits for something that other processes or the kernel bring about, without a fixed sleep.
import { setTimeout as delay } from "node:timers/promises";

/**
 * Calls `check` again and again until it neither throws nor rejects, and resolves to its value.
 * @throws the last error of `check`, once `withinMs` have passed.
 */
export async function eventually<T>(check: () => T | Promise<T>, { withinMs }: { withinMs: number }): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() >= end) throw error;
    }
    await delay(10);
  }
}
