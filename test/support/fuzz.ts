// Tries a check on random input for a time. Seeded: a failure names its seed. MESHCTL_FUZZ_SECONDS lets it run longer.
import assert from "node:assert/strict";
import { seededRandom } from "./upstream-hosts.ts";

const SECONDS = Number(process.env["MESHCTL_FUZZ_SECONDS"] ?? 1);

/** Runs `check` with one seed after the other until time is up. @param check gets numbers from 0 up to 1. */
export function fuzz(firstSeed: number, check: (random: () => number) => void): void {
  const deadline = performance.now() + SECONDS * 1000;
  let seed = firstSeed;
  do {
    const random = seededRandom(seed);
    // The first number of neighbouring seeds is nearly the same.
    random();
    try {
      check(random);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    seed += 1;
  } while (performance.now() < deadline);
  assert.ok(seed - firstSeed > 20, "too slow to be a test");
}
