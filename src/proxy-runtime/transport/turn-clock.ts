// The time of a turn: while a connection's bytes are being handled the clock is read once, when somebody first asks. A
// request takes five readings otherwise, 40 ns each. Seldom more than a quarter of a millisecond passes meanwhile. Each
// thread has its own.
import { performance } from "node:perf_hooks";

let isInTurn = false;
/** -1: not read yet. */
let readMs = -1;

/** Milliseconds of performance.now(), as they were when they were first asked for in this turn. */
export function turnNow(): number {
  if (!isInTurn) return performance.now();
  if (readMs < 0) readMs = performance.now();
  return readMs;
}

/** To be called before and after bytes are handled. */
export function beginTurn(): void {
  isInTurn = true;
  readMs = -1;
}

export function endTurn(): void {
  isInTurn = false;
}
