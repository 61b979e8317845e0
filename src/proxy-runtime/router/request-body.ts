// The body of a request on its way: how far it has come, and a copy for another try as long as it is small.
import type { HeaderList } from "../http/header-list.ts";
import type { DownstreamStream, UpstreamStream } from "../http/stream.ts";

export class RequestBody {
  /** The last byte, or the trailers, have come. */
  ended = false;
  trailers: HeaderList | undefined = undefined;
  /** So much is kept for another try. */
  limitBytes = 0;
  #kept: Buffer[] | undefined = undefined;
  #keptBytes = 0;
  #canReplay = true;
  #isPaused = false;
  #isHeld = false;
  readonly #downstream: DownstreamStream;

  constructor(downstream: DownstreamStream) {
    this.#downstream = downstream;
  }

  /** What has not come yet stays with the client. */
  pause(): void {
    if (this.#isPaused || this.ended) return;
    this.#isPaused = true;
    this.#downstream.pauseRequest();
  }

  resume(): void {
    if (!this.#isPaused || this.#isHeld) return;
    this.#isPaused = false;
    this.#downstream.resumeRequest();
  }

  /** What follows the head stays with the client until `release`, whatever there is room for. */
  hold(): void {
    this.pause();
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.resume();
  }

  /**
   * Keeps a copy. Past the limit what was sent is dropped, and the request can't be tried again.
   * @param isSent a host is being sent it; what came before there was one is kept whatever its size.
   * @returns whether other tries have just become impossible.
   */
  keep(chunk: Uint8Array, isSent: boolean): boolean {
    if (chunk.length === 0 || (!this.#canReplay && isSent)) return false;
    this.#keptBytes += chunk.length;
    const fits = this.#keptBytes <= this.limitBytes;
    if (fits || !isSent) (this.#kept ??= []).push(Buffer.from(chunk));
    else this.#kept = undefined;
    if (fits || !this.#canReplay) return false;
    this.#canReplay = false;
    return true;
  }

  /** No other try will be made. */
  drop(): void {
    this.#kept = undefined;
    this.#canReplay = false;
  }

  /** Everything that has come so far is still here. */
  get canReplay(): boolean {
    return this.#canReplay;
  }

  /** The request is its head alone. */
  get isEmpty(): boolean {
    return this.ended && this.#kept === undefined && this.trailers === undefined;
  }

  /** Sends what has come so far. */
  replayTo(stream: UpstreamStream): void {
    const kept = this.#kept;
    if (kept !== undefined) {
      const endWithLast = this.ended && this.trailers === undefined;
      for (let index = 0; index < kept.length; index += 1) stream.sendData(kept[index]!, endWithLast && index === kept.length - 1);
      if (!this.#canReplay) this.#kept = undefined;
    }
    if (this.trailers !== undefined) stream.sendTrailers(this.trailers);
  }
}
