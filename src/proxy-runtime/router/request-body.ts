// The body of a request on its way: how far it has come, and a copy for a second attempt as long as it is small.
import type { HeaderList } from "../http/header-list.ts";
import type { DownstreamStream, UpstreamStream } from "../http/stream.ts";

const MAX_KEPT_BYTES = 65536;
const NONE: readonly Buffer[] = [];

export class RequestBody {
  /** The last byte, or the trailers, have come. */
  ended = false;
  trailers: HeaderList | undefined = undefined;
  #kept: Buffer[] | undefined = undefined;
  #keptBytes = 0;
  #isWhole = true;
  #isPaused = false;
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
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#downstream.resumeRequest();
  }

  /** Keeps a copy; past the limit everything is dropped and the request can't be tried again. */
  keep(chunk: Uint8Array): void {
    if (!this.#isWhole || chunk.length === 0) return;
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > MAX_KEPT_BYTES) this.#isWhole = false;
    if (this.#isWhole) (this.#kept ??= []).push(Buffer.from(chunk));
    else this.#kept = undefined;
  }

  /** No other attempt will be made. */
  drop(): void {
    this.#kept = undefined;
    this.#isWhole = false;
  }

  /** Everything that has come so far is still here. */
  get canReplay(): boolean {
    return this.#isWhole;
  }

  /** The request is its head alone. */
  get isEmpty(): boolean {
    return this.ended && this.#kept === undefined && this.trailers === undefined;
  }

  /** Sends what has come so far. */
  replayTo(stream: UpstreamStream): void {
    const chunks = this.#kept ?? NONE;
    const endWithLast = this.ended && this.trailers === undefined;
    chunks.forEach((chunk, index) => stream.sendData(chunk, endWithLast && index === chunks.length - 1));
    if (this.trailers !== undefined) stream.sendTrailers(this.trailers);
  }
}
