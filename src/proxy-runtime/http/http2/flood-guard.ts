// Counts what a peer makes us do for nothing (RFC 9113 §10.5): streams opened and reset at once, settings, pings, empty
// frames, priorities and window updates beyond use. Honest traffic earns credit; who only spends it is cut off.
import type { Http2Config } from "../../config/http2-config.ts";
import type { Http2Counter } from "./http2-stats.ts";

type FloodLimits = Pick<
  Http2Config,
  | "maxConcurrentStreams"
  | "maxOutboundControlFrames"
  | "maxOutboundFrames"
  | "maxConsecutiveEmptyFrames"
  | "maxPriorityFramesPerStream"
  | "maxWindowUpdateFramesPerDataFrame"
>;

export interface Flood {
  readonly detail: string;
  /** undefined: streams reset before they were answered, which Envoy counts by connection manager. */
  readonly counter: Http2Counter | undefined;
}

const RESETS: Flood = { detail: "more streams reset than used", counter: undefined };
const CONTROL: Flood = { detail: "too many SETTINGS, PING or useless frames", counter: "outbound_control_flood" };
const PRIORITIES: Flood = { detail: "too many PRIORITY frames", counter: "inbound_priority_frames_flood" };
const WINDOW_UPDATES: Flood = { detail: "too many WINDOW_UPDATE frames", counter: "inbound_window_update_frames_flood" };
const EMPTY: Flood = { detail: "too many empty frames", counter: "inbound_empty_frames_flood" };
const UNREAD: Flood = { detail: "too many frames not read", counter: "outbound_flood" };
const UNREAD_CONTROL: Flood = { detail: "too many replies not read", counter: "outbound_control_flood" };

// Envoy's premature_reset_total_stream_count: from then on, half of all streams.
const MIN_RESETS = 500;
// Who may have many streams open may give all of them up at once; this many, whatever the configuration allows.
const MAX_RESETS = 16_384;
// A peer may ping, change settings or give streams up now and then for as long as it likes.
const FORGIVEN_PER_SECOND = 100;

export class FloodGuard {
  readonly #limits: FloodLimits;
  readonly #maxResets: number;
  #control = 0;
  #resets = 0;
  #second = 0;
  #empty = 0;
  #emptyStreamId = 0;
  #priority = 0;
  #windowUpdates = 0;
  #streams = 0;
  #answered = 0;
  #dataSent = 0;
  #dataReceived = 0;

  constructor(limits: FloodLimits) {
    this.#limits = limits;
    this.#maxResets = Math.min(MAX_RESETS, Math.max(MIN_RESETS, limits.maxConcurrentStreams));
  }

  /** A stream was opened, by whichever side opens them. */
  onStream(): void {
    this.#streams += 1;
  }

  onStreamDone(): void {
    this.#answered += 1;
  }

  /**
   * A stream that the peer reset, or made us reset, before it was answered. Answers what the flood is, or undefined.
   * @param nowMs of performance.now().
   */
  onReset(nowMs: number): Flood | undefined {
    this.#forgive(nowMs);
    this.#resets += 1;
    return this.#resets > this.#maxResets + this.#answered ? RESETS : undefined;
  }

  /**
   * A frame that we reply to, or that nobody needs. Who measures the way (gRPC) pings once for each DATA; who sends trailers
   * (Node) ends the DATA before them with an empty frame.
   * @param nowMs of performance.now().
   */
  onControlFrame(nowMs: number): Flood | undefined {
    this.#forgive(nowMs);
    this.#control += 1;
    const allowed = this.#limits.maxOutboundControlFrames + this.#dataSent + this.#dataReceived + this.#streams;
    return this.#control > allowed ? CONTROL : undefined;
  }

  #forgive(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    const forgiven = FORGIVEN_PER_SECOND * (second - this.#second);
    this.#second = second;
    this.#control = Math.max(0, this.#control - forgiven);
    this.#resets = Math.max(0, this.#resets - forgiven);
  }

  onPriority(): Flood | undefined {
    this.#priority += 1;
    return this.#priority > this.#limits.maxPriorityFramesPerStream * (1 + this.#streams) ? PRIORITIES : undefined;
  }

  /** Envoy's formula: 5 + 2 × (streams + limit × DATA frames sent). */
  onWindowUpdate(): Flood | undefined {
    this.#windowUpdates += 1;
    const allowed = 5 + 2 * (this.#streams + this.#limits.maxWindowUpdateFramesPerDataFrame * this.#dataSent);
    return this.#windowUpdates > allowed ? WINDOW_UPDATES : undefined;
  }

  onDataSent(): void {
    this.#dataSent += 1;
  }

  /**
   * DATA, HEADERS or CONTINUATION that carry nothing and end nothing. Of one stream in a row: each of many may have one at the
   * same time.
   * @param nowMs of performance.now().
   */
  onEmptyFrame(streamId: number, nowMs: number): Flood | undefined {
    if (streamId !== this.#emptyStreamId) this.#empty = 0;
    this.#emptyStreamId = streamId;
    this.#empty += 1;
    return this.#empty > this.#limits.maxConsecutiveEmptyFrames ? EMPTY : this.onControlFrame(nowMs);
  }

  /** DATA with content. */
  onContent(): void {
    this.#empty = 0;
    this.#dataReceived += 1;
  }

  /** A part of a header block with content. */
  onHeaders(): void {
    this.#empty = 0;
  }

  /** Frames that wait for a peer that has not read anything since the first of them. */
  onUnread(frames: number, controlFrames: number): Flood | undefined {
    if (frames > this.#limits.maxOutboundFrames) return UNREAD;
    return controlFrames > this.#limits.maxOutboundControlFrames ? UNREAD_CONTROL : undefined;
  }
}
