// Counts what a peer makes us do for nothing (RFC 9113 §10.5): streams opened and reset at once, settings, pings, empty
// frames, priorities and window updates beyond use. Honest traffic earns credit; who only spends it is cut off.
import type { Http2Config } from "../../config/http2-config.ts";

type FloodLimits = Pick<
  Http2Config,
  "maxOutboundControlFrames" | "maxConsecutiveEmptyFrames" | "maxPriorityFramesPerStream" | "maxWindowUpdateFramesPerDataFrame"
>;

// Envoy's premature_reset_total_stream_count is 500, where half of all streams; here a stream that ends well pays for one.
const MAX_RESETS = 500;
// A peer may ping or change settings now and then for as long as it likes.
const FORGIVEN_PER_SECOND = 100;

export class FloodGuard {
  readonly #limits: FloodLimits;
  #control = 0;
  #controlSecond = 0;
  #empty = 0;
  #priority = 0;
  #windowUpdates = 0;
  #resets = 0;
  #streams = 0;
  #dataFrames = 0;

  constructor(limits: FloodLimits) {
    this.#limits = limits;
  }

  onStream(): void {
    this.#streams += 1;
    this.#empty = 0;
  }

  onStreamDone(): void {
    if (this.#resets > 0) this.#resets -= 1;
  }

  /** A stream that the peer reset, or made us reset, before it was answered. Answers what the flood is, or undefined. */
  onReset(): string | undefined {
    this.#resets += 1;
    return this.#resets > MAX_RESETS ? "more streams reset than used" : undefined;
  }

  /** @param nowMs of performance.now(). */
  onControlFrame(nowMs: number): string | undefined {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#controlSecond) {
      this.#control = Math.max(0, this.#control - FORGIVEN_PER_SECOND * (second - this.#controlSecond));
      this.#controlSecond = second;
    }
    this.#control += 1;
    return this.#control > this.#limits.maxOutboundControlFrames ? "too many SETTINGS or PING frames" : undefined;
  }

  onPriority(): string | undefined {
    this.#priority += 1;
    return this.#priority > this.#limits.maxPriorityFramesPerStream * (1 + this.#streams) ? "too many PRIORITY frames" : undefined;
  }

  /** Envoy's formula: 5 + 2 × (streams + limit × DATA frames sent). */
  onWindowUpdate(): string | undefined {
    this.#windowUpdates += 1;
    const allowed = 5 + 2 * (this.#streams + this.#limits.maxWindowUpdateFramesPerDataFrame * this.#dataFrames);
    return this.#windowUpdates > allowed ? "too many WINDOW_UPDATE frames" : undefined;
  }

  onDataSent(): void {
    this.#dataFrames += 1;
  }

  onEmptyFrame(): string | undefined {
    this.#empty += 1;
    return this.#empty > this.#limits.maxConsecutiveEmptyFrames ? "too many empty frames" : undefined;
  }

  onContent(): void {
    this.#empty = 0;
  }
}
