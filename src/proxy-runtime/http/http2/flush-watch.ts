// Streams whose answer is whole while their client leaves no window for the rest of it. Nobody else keeps their time: their
// request is over. As Envoy's stream_idle_timeout does it.
import { TimerEntry, type TimerOwner, type Timers } from "../../transport/timers.ts";

/** A stream, as far as it matters here. */
export interface FlushingStream {
  /** Less whenever the client has taken something. */
  readonly unsentBytes: number;
}

export class FlushWatch<Stream extends FlushingStream> {
  readonly #timers: Pick<Timers, "arm" | "disarm">;
  readonly #timeoutMs: number;
  readonly #onStuck: (stream: Stream) => void;
  readonly #watched = new Map<Stream, TimerEntry>();

  /** @param onStuck the client has taken nothing of a stream for `timeoutMs`. */
  constructor(timers: Pick<Timers, "arm" | "disarm">, timeoutMs: number, onStuck: (stream: Stream) => void) {
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
    this.#onStuck = onStuck;
  }

  watch(stream: Stream): void {
    let unsentBytes = stream.unsentBytes;
    const owner: TimerOwner = {
      onTimer: () => {
        if (stream.unsentBytes === unsentBytes) return this.#onStuck(stream);
        unsentBytes = stream.unsentBytes;
        this.#timers.arm(entry, this.#timeoutMs);
      },
    };
    const entry = new TimerEntry(owner, 0);
    this.#watched.set(stream, entry);
    this.#timers.arm(entry, this.#timeoutMs);
  }

  /** The stream is over. */
  forget(stream: Stream): void {
    const entry = this.#watched.get(stream);
    if (entry === undefined) return;
    this.#timers.disarm(entry);
    this.#watched.delete(stream);
  }
}
