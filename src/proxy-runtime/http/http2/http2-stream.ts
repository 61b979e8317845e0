// What both sides of an HTTP/2 stream have in common: its windows, its state (RFC 9113 §5.1), what waits to be sent, and
// what came while nobody wanted it.
import type { HeaderField } from "../header-field.ts";
import type { HeaderList } from "../header-list.ts";
import { ByteQueue } from "./byte-queue.ts";
import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from "./frame.ts";
import type { SessionStream, StreamSession } from "./session-seam.ts";
import { StreamOutput } from "./stream-output.ts";

/** A stream that reads as fast as data comes gets a larger window, up to this. */
const MAX_STREAM_WINDOW_BYTES = 1048576;
const EMPTY = Buffer.alloc(0);

export abstract class Http2Stream implements SessionStream {
  /** 0 until its HEADERS are sent. */
  id: number;
  readonly session: StreamSession;
  /** How much the peer lets us send; may be negative after a change of its settings (§6.9.2). */
  sendWindow: number;
  /** We have sent END_STREAM. */
  localEnded = false;
  /** The peer has sent END_STREAM. */
  remoteEnded = false;
  /** An upgraded connection: each side ends for itself. */
  isTunnel = false;
  /** Nothing more is sent or taken. */
  closed = false;
  /** Among those that the session gives a turn when there is room. */
  isQueued = false;
  #output: StreamOutput | undefined = undefined;
  /** How much the peer may still send. */
  #receiveWindow: number;
  #windowBytes: number;
  /** Taken and not yet given back to the peer. */
  #unacknowledged = 0;
  #paused = false;
  /** Set while something of what has come was not wanted yet. */
  #waiting: ByteQueue | undefined = undefined;
  #waitingEnd = false;
  #waitingTrailers: HeaderList | undefined = undefined;
  #delivering = false;
  /** DATA still expected by content-length; -1 unknown (§8.1.1). */
  #expectedBytes = -1;

  constructor(id: number, session: StreamSession) {
    this.id = id;
    this.session = session;
    this.sendWindow = session.peerInitialWindow;
    this.#receiveWindow = this.#windowBytes = session.settings.initialWindowBytes;
  }

  /** A header block of this stream, decoded: a head or trailers. */
  abstract onHeaders(fields: HeaderField[], listBytes: number, endStream: boolean): void;
  protected abstract deliverData(piece: Uint8Array, end: boolean): void;
  protected abstract deliverTrailers(trailers: HeaderList): void;
  /** The stream is over without a whole exchange. `code` is the peer's, CONNECTION_GONE, VIOLATION or OUR_BUG; `detail` says what happened. */
  abstract onReset(code: number, detail: string): void;
  /** What waited has been sent. */
  abstract onSendable(): void;

  // Receiving.

  /** DATA may be this long in all. */
  protected expectBody(contentLength: number): void {
    this.#expectedBytes = contentLength;
  }

  /** Counts a DATA frame against the window; false where it does not fit. */
  admitData(length: number): boolean {
    this.#receiveWindow -= length;
    this.#unacknowledged += length;
    return this.#receiveWindow >= 0;
  }

  receiveData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.#expectedBytes >= 0) {
      this.#expectedBytes -= end - start;
      if (this.#expectedBytes < 0 || (endStream && this.#expectedBytes > 0)) {
        this.session.rejectMessage(this, "body does not fit its content-length");
        return;
      }
    }
    if (endStream) this.remoteEnded = true;
    if (this.#paused || this.#waiting !== undefined) {
      if (start === end && !endStream) return;
      (this.#waiting ??= new ByteQueue()).push(bytes, start, end);
      this.#waitingEnd = endStream;
      this.session.hold(end - start);
      return;
    }
    if (start < end || endStream) this.#deliver(bytes.subarray(start, end), endStream);
    if (!this.#paused) this.#giveBack();
  }

  receiveTrailers(trailers: HeaderList): void {
    if (this.#expectedBytes > 0) {
      this.session.rejectMessage(this, "body does not fit its content-length");
      return;
    }
    this.remoteEnded = true;
    if (this.#paused || this.#waiting !== undefined) {
      this.#waiting ??= new ByteQueue();
      this.#waitingTrailers = trailers;
    } else this.#deliverLast(trailers);
  }

  /** Data that comes from now on is kept, up to what the window lets through. */
  pauseReceiving(): void {
    this.#paused = true;
  }

  resumeReceiving(): void {
    if (!this.#paused) return;
    this.#paused = false;
    // The loop that is further up the stack goes on by itself.
    if (this.#delivering) return;
    const waiting = this.#waiting;
    if (waiting !== undefined && !this.#deliverWaiting(waiting)) return;
    if (!this.#paused) this.#giveBack();
  }

  /** Answers false while there is more, or when the stream has closed. */
  #deliverWaiting(waiting: ByteQueue): boolean {
    this.#delivering = true;
    while (waiting.length > 0 && !this.#paused && !this.closed) {
      const piece = waiting.peek(Infinity);
      waiting.drop(piece.length);
      this.session.hold(-piece.length);
      const last = this.#waitingEnd && waiting.length === 0;
      if (last) this.#waitingEnd = false;
      this.#deliver(piece, last);
    }
    this.#delivering = false;
    if (this.closed || waiting.length > 0) return false;
    const trailers = this.#waitingTrailers;
    if (this.#waitingEnd || trailers !== undefined) {
      if (this.#paused) return false;
      this.#waitingEnd = false;
      this.#waitingTrailers = undefined;
      if (trailers === undefined) this.#deliver(EMPTY, true);
      else this.#deliverLast(trailers);
    }
    this.#waiting = undefined;
    this.session.settle(this);
    return true;
  }

  // A bug that one receiver meets ends its stream and no other.

  #deliver(piece: Uint8Array, end: boolean): void {
    try {
      this.deliverData(piece, end);
    } catch (thrown) {
      this.session.onBug(this, thrown);
    }
  }

  #deliverLast(trailers: HeaderList): void {
    try {
      this.deliverTrailers(trailers);
    } catch (thrown) {
      this.session.onBug(this, thrown);
    }
  }

  /** The peer has ended the stream, but not all of what it sent was wanted yet. */
  get hasWaiting(): boolean {
    return this.#waiting !== undefined && this.remoteEnded;
  }

  #giveBack(): void {
    if (this.remoteEnded || this.closed || 2 * this.#unacknowledged < this.#windowBytes) return;
    let increment = this.#unacknowledged;
    if (this.#windowBytes < MAX_STREAM_WINDOW_BYTES && this.#windowBytes >= DEFAULT_WINDOW_BYTES && this.session.mayGrowWindows) {
      const grown = Math.min(MAX_STREAM_WINDOW_BYTES, 2 * this.#windowBytes);
      increment += grown - this.#windowBytes;
      this.#windowBytes = grown;
    }
    this.#unacknowledged = 0;
    this.#receiveWindow += increment;
    this.session.output.frames.windowUpdate(this.id, increment);
  }

  // Sending.

  /** The peer lets us send more (or less). Answers false where the window grows beyond what is allowed. */
  widen(change: number): boolean {
    this.sendWindow += change;
    if (this.hasOutput) this.session.output.queue(this);
    return this.sendWindow <= MAX_WINDOW_BYTES;
  }

  /** Sends or keeps. Answers false when the sender should stop until onSendable. */
  protected send(data: Uint8Array, end: boolean): boolean {
    if (this.closed || this.localEnded || this.#output?.endsWithData === true) return true;
    const { output } = this.session;
    if (!this.hasOutput) {
      const sent = output.sendData(this, data, end);
      if (sent === data.length) {
        if (end) this.session.settle(this);
        if (end || !output.isBlocked) return true;
      } else {
        const waiting = (this.#output ??= new StreamOutput());
        waiting.data.push(data, sent, data.length);
        waiting.endsWithData = end;
      }
    } else {
      this.#output!.data.push(data, 0, data.length);
      this.#output!.endsWithData = end;
    }
    output.queue(this);
    return false;
  }

  protected sendLast(trailers: HeaderList): void {
    if (this.closed || this.localEnded) return;
    if (this.hasOutput) this.#output!.trailers = trailers;
    else {
      this.session.output.sendTrailers(this, trailers);
      this.session.settle(this);
    }
  }

  /** Sends one piece of what waits, or says that there is room. Answers true when more could be sent. */
  sendPiece(maxBytes: number): boolean {
    if (this.closed || this.localEnded) return false;
    const waiting = this.#output;
    const { output } = this.session;
    if (waiting !== undefined && waiting.data.length > 0) {
      const room = Math.min(maxBytes, this.sendWindow);
      if (room <= 0) return false;
      const piece = waiting.data.peek(room);
      waiting.data.drop(output.sendData(this, piece, waiting.endsWithData && piece.length === waiting.data.length));
      if (waiting.data.length > 0) return this.sendWindow > 0;
    }
    if (waiting?.trailers !== undefined) output.sendTrailers(this, waiting.trailers);
    if (this.localEnded) {
      waiting?.clear();
      this.session.settle(this);
      return false;
    }
    try {
      this.onSendable();
    } catch (thrown) {
      this.session.onBug(this, thrown);
    }
    return false;
  }

  get hasOutput(): boolean {
    return this.#output !== undefined && !this.#output.isEmpty;
  }

  /** Body that waits for room. */
  get unsentBytes(): number {
    return this.#output?.data.length ?? 0;
  }

  /** Nothing more will be sent; what waits is dropped. */
  endLocal(): void {
    this.localEnded = true;
    this.#output?.clear();
  }

  /** Lets go of everything that waits. */
  discard(): void {
    this.#output?.clear();
    if (this.#waiting === undefined) return;
    this.session.hold(-this.#waiting.length);
    this.#waiting = undefined;
    this.#waitingTrailers = undefined;
  }
}
